"""The planner: frame blocks become a joint reference, and that becomes verified plans for the control loop.

It never commands the robot. Whenever something new is known it builds a plan that takes over from the plan in
force at a commit row, which is far enough ahead that planning is done by then. A plan that fails the verifier
is not handed over; the robot goes on with the one in force, which ends at standstill.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, replace
from itertools import islice

import numpy as np

from text2gesture_ros.control.ownership import JointOwnership
from text2gesture_ros.control.plan_buffer import PlanBuffer
from text2gesture_ros.control.row_clock import RowClock
from text2gesture_ros.control.trajectory import Commit, Plan
from text2gesture_ros.labels import ClauseId
from text2gesture_ros.motion.frame_block import FrameMessage
from text2gesture_ros.parameters import GestureRetargeterParameters
from text2gesture_ros.retargeting.fidelity import FidelityRecorder
from text2gesture_ros.retargeting.frame_queue import FrameQueue
from text2gesture_ros.retargeting.plan_builder import (
    INITIAL_RETURN_SPEED_SCALE,
    MIN_TRACKING_HORIZON,
    RETURN_SPEED_SCALE,
    URGENT_RETURN_SPEED_SCALE,
)
from text2gesture_ros.retargeting.plan_search import PlanSearch, Situation
from text2gesture_ros.retargeting.progress import HELD, PlanningEvents
from text2gesture_ros.retargeting.reference import BlendOffset, JointClip, Reference

_LOGGER = logging.getLogger(__name__)

# With more frames a plan is made anew from this long before the end of its reference [s]: about there it
# begins to stop. With 0.2 s, fast joints have begun before; with 0.4 s, planning takes a fourth longer.
_REPLAN_TIME = 0.3
_BLEND_AFTER = 0.1  # a clip whose frames were missing for this long blends in anew [s]
_RETRY_TIME = 0.1  # a clip that could not be continued is tried again after this time [s]
_TARGET_BATCH = 20  # rows for which targets are recorded at once: much faster than one by one
_REST_TIME = 0.5  # before breathing begins [s]
# A robot that was somewhere stays there for so long: until whoever listens to a new node has found it, first
# commands are lost, and the next one would be a jump [s].
_STANDING_TIME = 1.0


@dataclass
class _Request:
    """The plan that is wanted."""

    row: int | None = None  # from which on, None: none is wanted
    tried: int = 0  # attempts that failed
    fails_at: float = np.inf  # when the latest of them failed [s]
    retry_row: int = 0  # from which on a clip that was stopped halfway is tried again

    def ask(self, row: int) -> None:
        """Want another plan from a row on."""
        self.row = row if self.row is None else min(row, self.row)


@dataclass
class _Mode:
    """What the robot does apart from performing clips."""

    held: bool = False  # it is told to stand still
    breathing: bool = False
    return_speed_scale: float = RETURN_SPEED_SCALE  # of the way to rest that begins next or is under way
    stuck: bool = False  # it stands still because no trajectory to rest is within limits and clear
    rest_rows: int = 0  # how long it has been at rest
    stands_until: int = 0  # row; the first command is where the robot stands


@dataclass(frozen=True, eq=False)
class _Blend:
    """How the latest clip of the plan in force takes over."""

    clause: ClauseId
    row: int
    offset: BlendOffset


@dataclass(frozen=True, eq=False)
class _Course:
    """What is known of the plan in force."""

    knot: int = 0  # row of its first knot
    tracked: int = 0  # row of the end of its reference
    blend: _Blend | None = None  # how its latest clip takes over
    bent: bool = False  # away from the robot's own body

    @property
    def tracks(self) -> bool:
        """Whether the plan tracks a reference; else it only aims at the latest frame, or returns to rest."""
        return self.tracked > self.knot


class Planner:
    """Plans ahead of a control loop. Not thread-safe: one caller at a time.

    Attributes:
        reference: what is to be played.
        search: makes and judges drafts; counts them.
        view: the rows sent and the plan in force.
        lead: rows between the row sent last and the first one a new plan may change.
    """

    def __init__(
        self, ownership: JointOwnership, view: PlanBuffer, clock: RowClock, events: PlanningEvents
    ) -> None:
        """Make a planner that knows of no frames.

        Args:
            ownership: which joints are commanded, and the parameters.
            view: see above; the planner only reads it.
            clock: when rows are due; the planner only reads it.
            events: is told what becomes of clauses.
        """
        self.reference = Reference(ownership)
        self.search = PlanSearch(ownership.robot, clock.period)
        self.lead = 0
        self.view, self._clock, self._events = view, clock, events
        self._queue = FrameQueue(ownership.robot, clock.period)
        self._request, self._mode = _Request(), _Mode()
        self._course = self._former = _Course()
        self._recorder = FidelityRecorder(ownership.robot, clock.period)

    @property
    def stuck(self) -> bool:
        """Whether the robot stands still because no trajectory to rest is within limits and clear."""
        return self._mode.stuck

    @property
    def breathing(self) -> bool:
        """Whether the robot moves only because it breathes at rest."""
        return self._mode.breathing

    @property
    def wants_plan(self) -> bool:
        """Whether another plan is wanted."""
        return self._request.row is not None

    @property
    def busy(self) -> bool:
        """Whether a plan is wanted or frames wait."""
        return self.wants_plan or self._queue.ready

    # Orders

    def begin_from_measured(self) -> None:
        """Take note that the robot stands still in a measured pose, and plan from there, a little later."""
        self._mode.return_speed_scale = INITIAL_RETURN_SPEED_SCALE
        self._mode.stands_until = self.view.row + round(_STANDING_TIME / self._clock.period)
        self._request.ask(self.view.row)

    def return_at_once(self) -> None:
        """Perform nothing more, and go to rest as fast as the limits allow."""
        self._mode.return_speed_scale = URGENT_RETURN_SPEED_SCALE
        self.abandon(None)

    def others_moved(self) -> None:
        """Take note that joints that are not commanded are elsewhere."""
        if self.reference.next is not None or self.reference.playing is not None:
            self._request.ask(self.view.row)  # what is planned for these joints begins elsewhere

    def abandon(self, utterance_ids: Collection[str] | None) -> None:
        """Perform nothing more of some utterances, None: of all, from the next plan on."""
        reference = self.reference
        if utterance_ids is None or (self._recorder.clause or ("",))[0] in utterance_ids:
            self._recorder.begin(None)
        if utterance_ids is None:
            self._queue.clear()
            reference.playing = reference.next = None
            self._drop_blend()
        else:
            self._queue.forget(utterance_ids)
            reference.drop(utterance_ids)
            if self._course.blend is not None and self._course.blend.clause[0] in utterance_ids:
                self._drop_blend()
        self._mode.stuck, self._request.tried = False, 0
        self._request.ask(self.view.row)

    def hold(self, on: bool) -> None:
        """Come smoothly to a standstill and stay, or go on with what is due then, else to rest."""
        if on != self._mode.held:
            self._mode.held, self._mode.stuck = on, False
            self._drop_blend()
            self._request.tried = 0
            self._request.ask(self.view.row)

    def configure(self, old: GestureRetargeterParameters) -> None:
        """Take note that the parameters of the ownership have changed from `old`; the robot blends over."""
        new = self.reference.ownership.parameters
        if any(getattr(new, name) != getattr(old, name) for name in _AT_ONCE):
            self._drop_blend()
            self._request.ask(self.view.row)

    # What arrives

    def receive(self, block: FrameMessage) -> None:
        """Take in a block of frames that continues a clause or begins one, or the end of a clause."""
        self._queue.reset_budget()
        while self._queue.changes(block) and self._queue.ready:
            self._retarget()
        if self._queue.append(block):
            self._retarget()

    def _retarget(self) -> None:
        """Retarget some of the frames that wait, and ask for the plan they call for."""
        frames = self._queue.retarget(self.reference.ownership.parameters)
        view, reference = self.view, self.reference
        if frames.begins or frames.clip is None:
            self._request.tried = 0  # other drafts are possible now
        if frames.begins and reference.next is not None:
            self._events.on_preempted(reference.next.clause[0], frames.clause[0])
            self._request.ask(self._clock.before(reference.next.begin))
            reference.next = None
        if frames.clip is None:
            reference.finish(frames.clause)
            self._request.ask(view.row)
            return
        if frames.first:
            if self._course.blend is not None and self._course.blend.clause == frames.clause:
                self._drop_blend()  # was that of an earlier performance
            reference.next = frames.clip
            self._request.ask(self._clock.before(frames.clip.begin))
            return
        now = self._clock.time(view.row)
        known, upcoming = reference.active_and_next(now)
        if upcoming is None and known is not None and now > known.end + _BLEND_AFTER:
            self._drop_blend()
        reference.extend(frames.clip, now)
        planned = self._course.blend is not None and self._course.blend.clause == frames.clause
        replan = self._course.tracked - round(_REPLAN_TIME / self._clock.period)
        self._request.ask(replan if planned else view.row)

    # As rows are sent

    def advance(self, rows: int = 1) -> None:
        """Take note that rows were sent: begin what is due, end what is over, ask for what comes next."""
        view, reference, request = self.view, self.reference, self._request
        row, time = view.row, self._clock.time(view.row)
        before = reference.playing
        self._record(rows)
        reference.advance(time)
        if before is not None and reference.playing is not before:
            self._measure(before)
        self._tell_ends(before, time)
        playing = reference.playing
        if playing is not None and (view.over or reference.next is not None) and reference.timed_out(time):
            self._measure(playing)
            if not self._comes_again(playing):
                timeout = reference.ownership.parameters.frame_timeout
                self._events.on_clause_end(playing.clause, f"no frames came for {timeout:g} s")
            reference.playing = None
            request.ask(row)
        playing = reference.playing
        at_rest = reference.ownership.at_home(view.sent)
        if playing is not before:
            request.tried = 0  # other drafts are possible now
        if playing is None:
            if view.over and not (at_rest or self._mode.stuck or self._mode.held):
                request.ask(row)
        elif playing is not before and (
            self._course.blend is None or self._course.blend.clause != playing.clause
        ):
            request.ask(row)  # no plan into it was found, perhaps there is one now
        elif self._stopped_halfway(playing, time) and row >= request.retry_row:
            self._drop_blend()
            request.ask(row)
        self._breathe(at_rest, rows)

    def _record(self, rows: int) -> None:
        """Record the rows that were sent of the clip that plays."""
        playing, recorder, view = self.reference.playing, self._recorder, self.view
        if playing is None:
            return
        if recorder.clause != playing.clause:
            recorder.begin(playing.clause)
        for row in range(view.row - rows + 1, view.row + 1):
            time = self._clock.time(row)
            if time > playing.end + 1e-9:
                if not playing.complete:
                    recorder.on_starved()
                continue
            # A plan that only aims at the latest frame has no reference whose end could be behind.
            performed = view.span(row).clause == playing.clause
            performed &= row <= self._course.tracked or not self._course.tracks
            recorder.on_row(time, view.sample(row), performed)
        if len(recorder.pending) >= _TARGET_BATCH:
            self._record_targets(playing)

    def _record_targets(self, clip: JointClip | None) -> None:
        """Record where the joints ought to have been in the rows of a clip that were recorded since."""
        times, blend = self._recorder.pending, self._course.blend
        if clip is None or clip.clause != self._recorder.clause or not len(times):
            return
        targets = self.reference.targets(clip, times)
        if blend is not None and blend.clause == clip.clause:
            targets = targets + blend.offset.at(times)
        self._recorder.on_targets(targets)

    def _measure(self, clip: JointClip) -> None:
        """Tell how faithfully a clip was performed that was recorded."""
        self._record_targets(clip)
        clause, fidelity = self._recorder.clause, self._recorder.result()
        if clause is not None and fidelity is not None:
            self._events.on_fidelity(clause, fidelity)
        self._recorder.begin(None)

    def _tell_ends(self, before: JointClip | None, time: float) -> None:
        """Tell which clause ended, and which was preempted, since `before` was played."""
        playing = self.reference.playing
        if before is None or playing is before:
            return
        ended = playing is None or (before.complete and time > before.end)
        if ended and not self._comes_again(before):
            self._events.on_clause_end(before.clause, HELD if self._mode.held else "")
        if playing is not None:  # also where neither of them is performed
            self._events.on_preempted(before.clause[0], playing.clause[0])

    def _comes_again(self, clip: JointClip) -> bool:
        """Return whether a clause waits to be performed once more."""
        return self.reference.next is not None and self.reference.next.clause == clip.clause

    def _stopped_halfway(self, playing: JointClip, time: float) -> bool:
        return self.view.over and playing.end > time + MIN_TRACKING_HORIZON and not self._mode.held

    def _breathe(self, at_rest: bool, rows: int) -> None:
        """Ask for a breath where the robot has been at rest for some time."""
        mode = self._mode
        mode.rest_rows = mode.rest_rows + rows if self.view.over and at_rest and not mode.held else 0
        if at_rest:
            mode.return_speed_scale = RETURN_SPEED_SCALE
            wanted = self.reference.ownership.parameters.idle_motion > 0.0
            if wanted and mode.rest_rows > _REST_TIME / self._clock.period:
                mode.rest_rows = 0
                self._request.ask(self.view.row)

    def retarget_waiting(self, *, everything: bool = False) -> None:
        """Begin another control period: retarget as many waiting frames as it has time for, or all."""
        self._queue.reset_budget()
        while self._queue.ready:
            self._retarget()
            if not everything:
                break
            self._queue.reset_budget()

    # Plans

    def plan(self, wanted: Commit | None = None) -> Plan | None:
        """Make one attempt at the plan that is wanted, else retarget waiting frames; return a verified plan.

        It counts as in force unless `rejected` says otherwise. With `wanted` that one is made once more.
        """
        request, mode, reference, view = self._request, self._mode, self.reference, self.view
        if wanted is not None:
            request.ask(view.row)
            reference = reference.as_of(wanted)
            request.tried, request.fails_at = wanted.attempt, wanted.failed_at
        if request.row is None or not self._clock.begun:
            self.retarget_waiting()
            return None
        ahead = view.row + self.lead if wanted is None else wanted.row - 1
        base = max(view.row, ahead, request.row, mode.stands_until)
        clip, upcoming = reference.active_and_next(self._clock.time(base) + self._clock.period)
        follows = clip is not None and not mode.held
        base = self._well_begun(base) if follows and wanted is None else base
        start = view.sample(base)
        if mode.held and base >= view.end and start.still:
            request.row = None
            return None
        blend = self._course.blend
        situation = Situation(
            start=start,
            time=self._clock.time(base),
            blend=(blend.clause, blend.offset) if blend is not None and base > blend.row else None,
            trail=view.trail,
            held=mode.held,
            return_speed_scale=mode.return_speed_scale,
            fails_at=request.fails_at,
            bent=self._course.bent and follows,
        )
        before = [*view.history, *view.rows(view.row, base).positions][-3:]
        for attempt in islice(self.search.attempts(situation, reference), request.tried, None):
            draft = attempt.draft()
            fails_at = 0.0 if draft is None else self.search.judge(attempt, draft, before)
            if draft is not None and fails_at is None:
                commit = reference.commit(base + 1, request.tried, situation.fails_at)
                request.row, request.tried, mode.stuck = None, 0, False
                mode.breathing = attempt.kind == "idle"
                if draft.blend is not None:
                    clause, row, offset = draft.blend
                    blend = _Blend(clause, base + row if row or blend is None else blend.row, offset)
                self._record_targets(self.reference.playing)
                self._recorder.on_plan(attempt.kind)
                self._former = self._course
                self._course = _Course(base, base + draft.tracked, blend, draft.bent)
                return Plan(abs(view.number) + 1, view.number, commit, draft.samples, draft.spans)
            request.tried += 1
            request.fails_at = 0.0 if fails_at is None else fails_at
            if follows or upcoming is not None:
                return None  # one attempt between two rows
        self._give_up(follows)
        return None

    def rejected(self) -> None:
        """Take note that the latest plan came too late and is not in force; another one is wanted."""
        self._record_targets(self.reference.playing)
        self._course = self._former
        self._recorder.on_late_plan()
        self._mode.breathing = False
        self._request.ask(self.view.row)

    def _drop_blend(self) -> None:
        """Let the next plan blend anew into the clip that plays."""
        self._record_targets(self.reference.playing)
        self._course = replace(self._course, blend=None)
        self._former = replace(self._former, blend=None)

    def _well_begun(self, row: int) -> int:
        """Return the first row from `row` on behind which a plan is well begun: a knot, or a standstill."""
        while (row - self._course.knot) % self.search.stride and not self.view.sample(row).still:
            row += 1
        return row

    def _give_up(self, follows: bool) -> None:
        """Keep the plan in force: no attempt passed."""
        view, request = self.view, self._request
        request.row, request.tried = None, 0
        request.retry_row = view.row + round(_RETRY_TIME / self._clock.period)
        self.search.counts["kept"] += 1
        if not (view.over or follows):
            request.ask(view.row + 1)  # there may be a trajectory from there
        elif view.over and self.reference.playing is None and not self._mode.stuck:
            self._mode.stuck = True
            self.search.counts["stuck"] += 1
            _LOGGER.error("no trajectory to rest is within limits and clear: the robot stands still")


_AT_ONCE = ("gesture_scale", "forearm_weight", "idle_motion", "waist", "head", "left_arm", "right_arm")
"""Parameters that change the plan in force; the others count from the next clause on."""

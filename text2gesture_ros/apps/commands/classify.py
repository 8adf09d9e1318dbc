"""`text2gesture classify`: subject, gesture and emotion of sentences."""

import argparse
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from text2gesture_ros.apps.commands.sentences import piped_sentences, read_sentences
from text2gesture_ros.apps.commands.verbs import Outcome, Verbs, add_parameters, parameters
from text2gesture_ros.apps.tables import best, show_explanations, show_table
from text2gesture_ros.errors import InputError
from text2gesture_ros.labels import TASKS
from text2gesture_ros.parameters import IntentClassifierParameters

if TYPE_CHECKING:
    from text2gesture_ros.understanding.explanation import Word
    from text2gesture_ros.understanding.intent import Intent, Prediction


def add(verbs: Verbs) -> None:
    """Add the verb."""
    verb = verbs.add(
        "classify",
        run,
        "Say what sentences call for: subject, gesture, emotion. Long ones clause by clause.",
        [
            'classify "Hello, nice to see you!" "The shop opens at nine."',
            'classify --explain "I have no idea where your umbrella is."',
            "classify --file demo/conversation.txt --json",
            "classify < demo/conversation.txt",
        ],
    )
    verb.add_argument("text", nargs="*", help="sentences; none: one per line from standard input")
    verb.add_argument("--file", help="read the sentences from a file, one per line ('# ' starts a comment)")
    verb.add_argument("--explain", action="store_true", help="also say which words carried the decisions")
    add_parameters(verb, "intent_classifier", "model", "device", "threads", "confidence_threshold")
    add_parameters(
        verb, "intent_classifier", "speech_threshold", "clause_words", "speaking_rate", "cool_down"
    )


def run(args: argparse.Namespace) -> Outcome:
    """Classify texts, clause by clause, from the command line, a file or standard input."""
    from text2gesture_ros.understanding.classifier import IntentClassifier
    from text2gesture_ros.understanding.explanation import explain
    from text2gesture_ros.understanding.interpreter import Interpreter
    from text2gesture_ros.understanding.utterance import Utterance

    given = parameters(IntentClassifierParameters, args)
    if args.text and args.file:
        raise InputError("give sentences or --file, not both")
    if args.file:
        texts = read_sentences(args.file)
    elif args.text:
        texts = args.text
    elif sys.stdin.isatty():
        raise InputError("no sentence: give some, or --file, or pipe them in")
    else:
        texts = piped_sentences()
    classifier = IntentClassifier(given.model, device=given.device, threads=given.threads)
    # Each text as if nothing had been said before it.
    found = [Interpreter(classifier).interpret(Utterance(text), given) for text in texts]
    intents = [(clause, intent) for clauses in found for clause, intent in enumerate(clauses)]
    words = [explain(classifier, intent) if args.explain else None for _, intent in intents]

    def show() -> None:
        rows = [
            (
                " ".join(intent.text[slice(*intent.span)].split()),
                f"{intent.times.start:.1f}",
                *(best(getattr(intent, task)) for task in TASKS),
                intent.reason or ("asked for" if intent.wished else "yes"),
            )
            for _, intent in intents
        ]
        show_table("", ("sentence or clause", "at [s]", *TASKS, "accepted, or why not"), rows)
        if args.explain:
            show_explanations(
                [(intent, found or []) for (_, intent), found in zip(intents, words, strict=True)],
                given.speech_threshold,
            )

    data = [
        _intent_json(clause, intent, explained)
        for (clause, intent), explained in zip(intents, words, strict=True)
    ]
    return Outcome(data, show)


def _intent_json(clause: int, intent: "Intent", words: "Sequence[Word] | None") -> dict[str, Any]:
    result: dict[str, Any] = {
        "text": intent.text,
        "clause": clause,
        "span": list(intent.span),
        "start": round(intent.times.start, 3),
        "speech": intent.speech,
        "accepted": intent.accepted,
        "reason": intent.reason,
        **{task: _prediction_json(getattr(intent, task)) for task in TASKS},
    }
    if words is not None:
        result["words"] = [
            {"word": word.text, "start": word.span[0], "end": word.span[1], **word.weights} for word in words
        ]
    return result


def _prediction_json(prediction: "Prediction") -> dict[str, Any]:
    pairs = zip(prediction.labels, prediction.probabilities.tolist(), strict=True)
    return {"chosen": prediction.chosen, "probabilities": dict(pairs)}

"""A canvas for thick, rounded shapes given in metres, drawn with Pillow.

Shapes are drawn larger than needed and then reduced: smooth, in a few milliseconds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from text2gesture_ros.geometry import FloatArray

_OVERSAMPLING = 3  # factor of the size that is drawn
_MAX_CHARACTERS = 120  # of a text; more would not fit, and fitting it would take long

# Highlights of round shapes: narrower, brighter copies, moved towards the light (right and down, in radii);
# width and brightness of each.
_LIGHT = np.array([-0.6, -0.8])
_SHINE = ((0.72, 0.13), (0.36, 0.3))

Colour = tuple[int, ...]
PAPER: Colour = (251, 250, 247)
_SHADOW: Colour = (232, 230, 224)
INK: Colour = (43, 50, 64)
FAINT: Colour = (125, 131, 142)


class View:
    """An orthographic view from an azimuth (to the left of the figure) and an elevation [degrees]."""

    def __init__(self, azimuth: float, elevation: float) -> None:
        side, height = np.radians(azimuth), np.radians(elevation)
        level = np.array([np.cos(side), np.sin(side), 0.0])
        self.towards = np.cos(height) * level + np.array([0.0, 0.0, np.sin(height)])
        self.across = np.array([-np.sin(side), np.cos(side), 0.0])
        self.upwards = np.cross(self.towards, self.across)

    def flat(self, points: FloatArray) -> FloatArray:
        """Return the projection of points (..., 3) onto the picture (..., 2): to the right and down."""
        return np.stack([points @ self.across, -(points @ self.upwards)], axis=-1)


# In front, a little to the side and a little above.
OBLIQUE = View(28.0, 6.0)
FRONT, LEFT_SIDE = View(0.0, 0.0), View(90.0, 0.0)


@dataclass(frozen=True)
class Shape:
    """A thick polyline, or with `filled` the rounded polygon it encloses.

    Attributes:
        points: (P, 3) corners [m].
        radii: (P,) half the thickness at each corner [m].
        colour: of the whole.
        filled: whether the inside is filled.
        depth: added to the distance towards the viewer, to break ties [m].
        round: whether it gets highlights.
        facing: (3,) direction from which it is visible; None: from everywhere.
    """

    points: FloatArray
    radii: FloatArray
    colour: Colour
    filled: bool = False
    depth: float = 0.0
    round: bool = False
    facing: FloatArray | None = None


class Canvas:
    """A picture to which shapes in metres and lines of text are added."""

    def __init__(self, size: tuple[int, int], paper: Colour = PAPER) -> None:
        self._big = Image.new("RGB", (size[0] * _OVERSAMPLING, size[1] * _OVERSAMPLING), paper)
        self._draw = ImageDraw.Draw(self._big)

    def figure(
        self, shapes: Sequence[Shape], feet: tuple[float, float], scale: float, view: View = OBLIQUE
    ) -> None:
        """Draw shapes from far to near.

        Args:
            shapes: in the frame whose origin comes to lie at `feet`.
            feet: where the origin is in the picture [px].
            scale: pixels per metre.
            view: from where.
        """
        centre = np.asarray(feet) * _OVERSAMPLING
        scale = scale * _OVERSAMPLING
        shadow = np.array([0.30, 0.05]) * scale
        self._draw.ellipse((*(centre - shadow), *(centre + shadow)), fill=_SHADOW)
        seen = [s for s in shapes if s.facing is None or s.facing @ view.towards > 0.25]
        for shape in sorted(seen, key=lambda shape: (shape.points @ view.towards).mean() + shape.depth):
            flat = view.flat(shape.points) * scale + centre
            # A rim in the colour of the paper lifts a near limb off what is behind it.
            self._thick(flat, shape.radii * scale + 1.4 * _OVERSAMPLING, PAPER, shape.filled)
            self._thick(flat, shape.radii * scale, shape.colour, shape.filled)
            for part, light in _SHINE if shape.round else ():
                lit = tuple(round(light * 255 + (1.0 - light) * value) for value in shape.colour)
                rise = (1.0 - part) * 0.55 * shape.radii[:, None] * scale * _LIGHT
                self._thick(flat + rise, part * shape.radii * scale, lit, shape.filled)

    def text(self, place: tuple[float, float], text: str, size: int, colour: Colour, width: float) -> None:
        """Write one line, shortened with an ellipsis to `width` [px]."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        shown = _shortened(text)
        while shown and self._draw.textlength(shown, font=font) > width * _OVERSAMPLING:
            shown = shown[:-2].rstrip() + "…" if len(shown) > 2 else ""
        self._draw.text((place[0] * _OVERSAMPLING, place[1] * _OVERSAMPLING), shown, fill=colour, font=font)

    def legend(self, place: tuple[float, float], entries: Mapping[str, Colour], size: int) -> None:
        """Write what colours mean, one beside the other, each behind a dot of its colour."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        left, top = (coordinate * _OVERSAMPLING for coordinate in place)
        dot = size * _OVERSAMPLING
        for text, colour in entries.items():
            self._draw.ellipse((left, top + 0.2 * dot, left + 0.7 * dot, top + 0.9 * dot), fill=colour)
            self._draw.text((left + dot, top), text, fill=FAINT, font=font)
            left += 2.2 * dot + self._draw.textlength(text, font=font)

    def paragraph(
        self, place: tuple[float, float], text: str, size: int, colour: Colour, width: float
    ) -> None:
        """Write words in as many lines of `width` [px] as they need."""
        font = ImageFont.load_default(size * _OVERSAMPLING)
        lines = [""]
        for word in _shortened(text).split():
            longer = f"{lines[-1]} {word}".strip()
            if self._draw.textlength(longer, font=font) > width * _OVERSAMPLING and lines[-1]:
                lines.append(word)
            else:
                lines[-1] = longer
        for index, line in enumerate(lines):
            self.text((place[0], place[1] + 1.25 * size * index), line, size, colour, width)

    def image(self) -> Image.Image:
        """Return the finished picture."""
        return self._big.reduce(_OVERSAMPLING)

    def _thick(self, flat: FloatArray, radii: FloatArray, colour: Colour, filled: bool) -> None:
        if filled:
            self._draw.polygon([tuple(point) for point in flat], fill=colour)
            flat, radii = np.concatenate([flat, flat[:1]]), np.append(radii, radii[0])
        for point, radius in zip(flat, radii, strict=True):
            self._draw.ellipse((*(point - radius), *(point + radius)), fill=colour)
        for start, end, first, second in zip(flat, flat[1:], radii, radii[1:], strict=False):
            along = end - start
            length = float(np.hypot(*along))
            if length > 1e-6:
                normal = np.array([-along[1], along[0]]) / length
                corners = (
                    start + normal * first,
                    end + normal * second,
                    end - normal * second,
                    start - normal * first,
                )
                self._draw.polygon([tuple(corner) for corner in corners], fill=colour)


def _shortened(text: str) -> str:
    """Return the beginning of a text, with an ellipsis if something is left out."""
    return text if len(text) <= _MAX_CHARACTERS else text[: _MAX_CHARACTERS - 1].rstrip() + "…"

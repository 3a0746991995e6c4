"""A photo's layout in words: facts that were measured, and nothing else.

Left and right are the only words in which the description of a mirrored photo differs.
"""

from ..analysis import BeyondImage, CompositionAnalysis, WithinImage
from .class_scores import class_scores, composition_of
from .photo_layout import PhotoLayout

# a class counts as seen from this score on
_SEEN = 0.3
_KINDS = {
    "pattern": "a repeated pattern",
    "triangle": "lines that meet in a triangle",
    "curved": "a sweeping curve",
    "vertical": "strong vertical lines",
    "horizontal": "strong horizontal lines",
}


def describe(layout: PhotoLayout) -> CompositionAnalysis:
    """The analysis of a photo by rule alone."""
    subject, parts = subject_in_words(layout), elements(layout)
    caption = ", ".join(
        [f"a photo of {subject}" if subject else "a photo without a clear subject", *parts[:2]]
    )
    within = WithinImage(
        (*parts, *colours_in_words(layout)),
        subject,
        None if layout.subject is None else layout.subject.box,
        composition_of(layout),
    )
    return CompositionAnalysis(caption, within, beyond(layout))


def subject_in_words(layout: PhotoLayout) -> str:
    """Colour and place of the subject; empty without one."""
    if layout.subject is None:
        return ""
    article = "an" if layout.subject_colour[0] in "aeiou" else "a"
    return f"{article} {layout.subject_colour} subject {_place(*layout.subject.point)}"


def elements(layout: PhotoLayout) -> tuple[str, ...]:
    """Lines, symmetry and pattern that are clearly there, the clearest first."""
    scores, lines = class_scores(layout), layout.lines
    found = {text: scores[name] for name, text in _KINDS.items()}
    found["mirror symmetry about the vertical middle"] = scores["symmetric"] * (
        lines.symmetry >= lines.reflection
    )
    found["a reflection about the horizontal middle"] = scores["symmetric"] * (
        lines.reflection > lines.symmetry
    )
    slant = scores["diagonal"] * (lines.rising != lines.falling)
    found["a diagonal from the lower left to the upper right"] = slant * (lines.rising > lines.falling)
    found["a diagonal from the lower right to the upper left"] = slant * (lines.falling > lines.rising)
    if layout.horizon is not None:
        height = ("in the upper third", "at mid-height", "in the lower third")[
            min(int(layout.horizon * 3), 2)
        ]
        found[f"a horizon {height}"] = 1.0
    seen = [text for text in found if found[text] >= _SEEN]
    return tuple(sorted(seen, key=lambda text: -found[text]))


def colours_in_words(layout: PhotoLayout) -> tuple[str, ...]:
    """One element on the colours that fill most of the photo, or none."""
    if not layout.colours:
        return ()
    return (f"mostly {_listed(layout.colours)}",)


def beyond(layout: PhotoLayout) -> BeyondImage:
    """What continues on each side, and the wider scene: the colours and textures along the borders, going on."""
    light = "a dark" if layout.brightness < 0.3 else "a bright" if layout.brightness > 0.6 else "a"
    colours = f" in {_listed(layout.colours)}" if layout.colours else ""
    return BeyondImage(**layout.sides, scene=f"{light} scene{colours} that goes on beyond the frame")


def _place(x: float, y: float) -> str:
    column, row = (min(int(v * 3), 2) for v in (x, y))
    # the thirds' borders belong to the middle, so that a mirrored photo has the mirrored words
    column = 1 if 1 / 3 <= x <= 2 / 3 else column
    across = ("on the left", "in the centre", "on the right")[column]
    upright = ("upper", "", "lower")[row]
    if not upright:
        return across
    return f"in the {upright} middle" if column == 1 else f"in the {upright} {across.split()[-1]}"


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]

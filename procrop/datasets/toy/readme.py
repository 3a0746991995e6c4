"""The README.md that lies beside a toy data set."""

from typing import Any

import numpy as np

from procrop.datasets.toy import rule
from procrop.datasets.toy.settings import SPLITS, ToySettings

_LAYOUT = """\
| what | where |
|---|---|
| photos to be cropped | `images/{{train,val,test}}/<id>.jpg` |
| their scored crops | `annotations/{{train,val,test}}/<id>.txt`, lines `y1 x1 y2 x2 MOS` in pixels |
{companion}
| what each photo shows | `scenes.jsonl`, one JSON object a line, boxes as `[x1, y1, x2, y2]` in pixels |
| the settings | `toy.json` |
"""

_GALLERY = "| gallery of well-composed photos | `gallery/<id>.jpg`, no annotations |"
_CAPTIONS = """\
| captions that name the subject | `captions.jsonl`, one `{"id", "caption"}` a line |
| the same words about the other subject | `captions_swapped.jsonl` |"""

_RULE = """\
## The rule

Every crop of {grid} is scored by: the subject is whole, with air around it (this multiplies the rest); its
middle is on a third; it fills the right share of the crop; distractors are outside; the horizon is on a third; the
crop leaves out about the right part of the photo. Weights: {weights}.
The scores are stretched over the scale 1 to 5 per photo, seven annotators add their own taste (standard deviation
{noise} each), and their mean is the MOS, with two decimals. {top}
{framed}"""

_FRAMED = "The gallery's photos are framed, free of the grid, as the same rule likes best.\n"
_PAIR_GRID = "a grid of 12 x 12 corners, 5 to 7 steps wide and 5 to 9 high,"

_PAIRS = """\
## The two subjects

Each photo shows two subjects of different kinds side by side; the crops are scored for one of them, and the other one
counts as a distractor. A fair coin decides which one, after the photo was drawn: its kind, place, size and looks do
not tell. In each split every kind is named, and is the other one, equally often (to within one). The caption names the
kind and never the place: what to keep can be read off photo and caption together and from nowhere else.
`scenes.jsonl` has kind and side of the named subject, `best` (the crop with the highest MOS), `other_kind`,
`other_subject` and `best_other` (the crop that the other caption would want), and `blind` with `blind_iou`: the one
box that serves both best, and its mean IoU with the two. Nothing that does not know the caption can expect more than
the mean of `blind_iou`: {ceilings}. Mean IoU of `best` with `best_other`: {opposite:.3f}.
"""

_STYLE = """\
## The hidden style

Photos come from {families} scene families, each with its own look (colours, horizon, textures, subject) and, drawn
apart from the look, a style: the subject belongs on the left or on the right third. In the photos to be cropped the
subject is near the middle, placed alike for both styles; in the gallery every family is composed in its style. So
the style can be read off the references and from nowhere else. Families of train, val and test are disjoint, the
styles are balanced in each split. `scenes.jsonl` has family, style, `best` (the crop with the highest MOS),
`best_opposite` (the crop that the other style would want), and `blind` with `blind_iou`: the one box that serves both
styles best, and its mean IoU with the two. Nothing that sees no references can expect more than the mean of
`blind_iou`: {ceilings}. Mean IoU of `best` with `best_opposite`: {opposite:.3f}.
"""


def readme_text(settings: ToySettings, records: list[dict[str, Any]]) -> str:
    """Describe a data set.

    Args:
        settings: its settings.
        records: the lines of its scenes.jsonl.

    Returns:
        Markdown.
    """
    counts = {split: sum(r["split"] == split for r in records) for split in (*SPLITS, "gallery")}
    if settings.two_subjects:
        del counts["gallery"]
    numbers = ", ".join(f"{count} {split}" for split, count in counts.items())
    arguments = ", ".join(f"{name} {value}" for name, value in settings.as_dict().items())
    parts = [
        "# Toy photos for learning to crop\n",
        f"Drawn by `tools/make_toy_dataset.py` with {arguments}.\nPhotos: {numbers}. No photo shows a real place.\n",
        _LAYOUT.format(companion=_CAPTIONS if settings.two_subjects else _GALLERY),
        _rule_text(settings),
    ]
    if settings.hidden_style:
        families = settings.families + settings.val_families + settings.test_families
        parts.append(_STYLE.format(families=families, **_ceilings(records, "best_opposite")))
    if settings.two_subjects:
        parts.append(_PAIRS.format(**_ceilings(records, "best_other")))
    return "\n".join(parts)


def _rule_text(settings: ToySettings) -> str:
    weights, one_favourite = rule.WEIGHTS, settings.hidden_style or settings.two_subjects
    if one_favourite:
        weights = rule.STYLED_WEIGHTS if settings.hidden_style else rule.PAIR_WEIGHTS
    return _RULE.format(
        grid=_PAIR_GRID if settings.two_subjects else "GAIC's grid",
        weights=", ".join(f"{name} {value:.2f}" for name, value in weights.items()),
        noise=rule.STYLED_ANNOTATOR_NOISE if one_favourite else rule.ANNOTATOR_NOISE,
        top="Noise never changes which crop is the favourite." if one_favourite else "",
        framed="" if settings.two_subjects else _FRAMED,
    )


def _ceilings(records: list[dict[str, Any]], other: str) -> dict[str, Any]:
    """What a guess can expect in each split, and the mean IoU of the best crops with those under `other`."""
    from procrop.structures.boxes import box_iou

    photos = [r for r in records if r["split"] != "gallery"]
    by_split = {split: [r["blind_iou"] for r in photos if r["split"] == split] for split in SPLITS}
    ceilings = ", ".join(f"{np.mean(values):.3f} on {split}" for split, values in by_split.items() if values)
    pairs = [box_iou(np.array([r["best"]]), np.array([r[other]]))[0, 0] for r in photos]
    return {"ceilings": ceilings, "opposite": np.mean(pairs) if pairs else 0.0}

"""Figures as rows of the tables in the ProCrop paper."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from procrop.evaluation.score_table import FLOORS, floor_value

_NOTHING = "–"


@dataclass(frozen=True)
class TableForm:
    """The columns of one table of the paper.

    Attributes:
        title: What it is, for a heading.
        columns: Heading and key of each column.
        percent: Whether figures are printed in percent.
        digits: Digits behind the point.
        more: Further rows of the same model, such as N = 2: what is added to its name, and the keys.
        about: Headings between the name and the figures, filled from what the caller says of the model.
    """

    title: str
    columns: tuple[tuple[str, str], ...]
    percent: bool
    digits: int
    more: tuple[tuple[str, tuple[str, ...]], ...] = ()
    about: tuple[str, ...] = ()


_ACC = tuple((n, k) for n in (5, 10) for k in ("acc_1/{}", "mean_acc_{}"))


def accuracy_form(eps: float = 0.85) -> TableForm:
    """Table 3, GAICD: ACC_{1/5}, its average over K, ACC_{1/10}, its average; in percent."""
    heads = ("ACC1/5", "avg. ACC5", "ACC1/10", "avg. ACC10")
    keys = tuple(f"acc/{name.format(n)}@{eps:g}" for n, name in _ACC)
    exact = tuple(f"grid/{name.format(n)}_ties" for n, name in _ACC)
    columns = tuple((f"{head} (↑)", key) for head, key in zip(heads, keys, strict=True))
    return TableForm(f"Table 3, GAICD (IoU ≥ {eps:g})", columns, True, 1, ((" (exact grid)", exact),))


OVERLAP_FORM = TableForm("Table 3, FLMS", (("IoU (↑)", "crop/iou@1"), ("Disp (↓)", "crop/disp@1")), False, 3)

SUBJECT_FORM = TableForm(
    "Table 4, SACD (best of N)",
    (("IoU (↑)", "crop/iou@1"), ("Disp (↓)", "crop/disp@1")),
    False,
    4,
    tuple((f" (N={n})", (f"crop/iou@{n}", f"crop/disp@{n}")) for n in (2, 3)),
    ("Trained on", "WS"),
)


def form_of(dataset: str, figures: Mapping[str, float], eps: float = 0.85) -> TableForm:
    """The form that suits a dataset of this name ("sacd", "gaicv2") and the figures there are."""
    if dataset.lower().startswith("sacd"):
        return SUBJECT_FORM
    return accuracy_form(eps) if any(key.startswith("acc/") for key in figures) else OVERLAP_FORM


def paper_table(
    form: TableForm,
    models: Mapping[str, Mapping[str, float]],
    floors: Mapping[str, float],
    about: Sequence[str] = (),
) -> str:
    """A Markdown table: one row per model, and one per floor below.

    Args:
        form: Its columns.
        models: Name -> figures by "prefix/key".
        floors: Floors by "prefix/key".
        about: What to write in the columns ``form.about``, the same for every model.

    Returns:
        The table as text of several lines.
    """
    heads = ["Methods", *form.about, *(head for head, _ in form.columns)]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    keys = tuple(key for _, key in form.columns)
    filled = [*about, *[_NOTHING] * len(form.about)][: len(form.about)]
    for name, figures in models.items():
        lines.append(_row(form, name, filled, [figures.get(key) for key in keys]))
        for suffix, more in form.more:
            values = [figures.get(key) for key in more]
            if any(value is not None for value in values):
                lines.append(_row(form, name + suffix, filled, values))
    for prefix, name in FLOORS.items():
        values = [_floor(floors, prefix, key) for key in keys]
        if any(value is not None for value in values):
            lines.append(_row(form, f"*{name}*", [_NOTHING] * len(form.about), values))
    return "\n".join(lines) + "\n"


def _floor(floors: Mapping[str, float], prefix: str, key: str) -> float | None:
    protocol, _, name = key.partition("/")
    own = {k.partition("/")[2]: value for k, value in floors.items() if k.startswith(f"{protocol}/")}
    return floor_value(own, prefix, name)


def _row(form: TableForm, name: str, about: Sequence[str], values: Sequence[float | None]) -> str:
    scale = 100.0 if form.percent else 1.0
    cells = [_NOTHING if value is None else f"{scale * value:.{form.digits}f}" for value in values]
    return f"| {' | '.join([name.replace('|', '/'), *about, *cells])} |"

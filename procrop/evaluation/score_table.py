"""Scores beside their floors, as a table of text."""

from collections.abc import Mapping, Sequence

#: prefixes of floors, with the heading of their column
FLOORS = {
    "random_": "random",
    "random_grid_": "random grid box",
    "full_photo_": "full photo",
    "centre_crop_": "centre crop",
    "constant_crop_": "constant crop",
}


def floor_of(key: str) -> str | None:
    """Return the prefix in FLOORS that ``key`` starts with, the longest one, or None for a score."""
    found = [prefix for prefix in FLOORS if key.startswith(prefix)]
    return max(found, key=len, default=None)


def floor_value(figures: Mapping[str, float], prefix: str, key: str) -> float | None:
    """The floor of a score: the key behind the prefix, or what of it stands before "@" when N does not matter."""
    return figures.get(prefix + key, figures.get(prefix + key.split("@")[0]))


def score_table(figures: Mapping[str, float]) -> str:
    """Lay out scores beside their floors, one score a line.

    Args:
        figures: Figures by key, floors among them.

    Returns:
        The table as text of several lines.
    """
    used = [prefix for prefix in FLOORS if any(floor_of(key) == prefix for key in figures)]
    rows = [["", "score", *(FLOORS[prefix] for prefix in used)]]
    for key, value in figures.items():
        if floor_of(key) is None:
            rows.append([key, as_text(value), *(as_text(floor_value(figures, p, key)) for p in used)])
    return aligned(rows)


def as_text(value: float | None) -> str:
    """A figure with four digits; nothing for one that is not there."""
    return "" if value is None else f"{value:.4f}"


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows of cells as lines of text, columns flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )

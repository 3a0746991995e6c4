"""A list of what could not be used of a dataset, and why."""

import os

from .errors import AnnotationError

_SHOWN = 5


class Problems:
    """Places that cannot be used, with the reason; collected, then raised together or reported with counts.

    Attributes:
        entries: (place, reason) in the order they were found; a place is 'file:line' or the path that was expected.
    """

    def __init__(self) -> None:
        self.entries: list[tuple[str, str]] = []

    def __len__(self) -> int:
        return len(self.entries)

    def add(self, place: str | os.PathLike, reason: str, line: int | None = None) -> None:
        """Note that the place, or one line of that file, cannot be used."""
        self.entries.append((f"{os.fspath(place)}{f':{line}' if line else ''}", reason))

    def by_reason(self) -> dict[str, list[str]]:
        """Reason -> places."""
        grouped: dict[str, list[str]] = {}
        for place, reason in self.entries:
            grouped.setdefault(reason, []).append(place)
        return grouped

    def summary(self) -> str:
        """One line for people: each reason with its count."""
        return "; ".join(f"{len(places)} x {reason}" for reason, places in self.by_reason().items())

    def raise_if_any(self) -> None:
        """Raise when there is an entry.

        Raises:
            AnnotationError: Shows the first places, the count, and what to do.
        """
        if not self.entries:
            return
        shown = "".join(f"\n  {place}: {reason}" for place, reason in self.entries[:_SHOWN])
        rest = len(self.entries) - _SHOWN
        more = f"\n  ... and {rest} more ({self.summary()})" if rest > 0 else ""
        raise AnnotationError(
            f"{len(self.entries)} annotation problem(s):{shown}{more}\n"
            "Correct or restore these files, or read leniently (strict=False) to leave them out and count them."
        )

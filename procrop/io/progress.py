"""A progress bar for people, plain lines for logs."""

import sys
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")


def progress(
    iterable: Iterable[T], total: int | None = None, desc: str = "", initial: int = 0
) -> Iterator[T]:
    """Yield from ``iterable`` while showing how many of ``total`` are done and how long the rest will take.

    On a terminal this is one moving bar; elsewhere (log file, pipe) it is one line about every ten seconds
    and one at the end. Everything goes to stderr.

    Args:
        iterable: What to go through.
        total: Number of items, counting those already done; the length of ``iterable`` when left out and
            known.
        desc: What is being done, in a word or two.
        initial: Items already done in an earlier run.
    """
    from tqdm import tqdm

    yield from tqdm(iterable, total=total, desc=desc, initial=initial, **_place())


def byte_progress(
    chunks: Iterable[bytes], total: int | None = None, desc: str = "", initial: int = 0
) -> Iterator[bytes]:
    """Yield from ``chunks`` while showing how many bytes of ``total`` are there, how fast, and how long the rest takes.

    Args:
        chunks: Pieces of a file.
        total: Its bytes, counting those already there; None where nobody knows.
        desc: What it is, in a word or two.
        initial: Bytes already there.
    """
    from tqdm import tqdm

    unit = dict(unit="B", unit_scale=True, unit_divisor=1000)
    with tqdm(total=total, desc=desc, initial=initial, **unit, **_place()) as bar:
        for chunk in chunks:
            yield chunk
            bar.update(len(chunk))


def _place() -> dict[str, Any]:
    """tqdm's options for the terminal, or for a log."""
    if sys.stderr.isatty():
        return dict(dynamic_ncols=True)
    return dict(file=_LineWriter(), mininterval=10, maxinterval=10, ascii=True, ncols=80)


class _LineWriter:
    """Turns tqdm's redraws (carriage returns) into lines of their own."""

    def write(self, text: str) -> None:
        text = text.strip("\r\n ")
        if text:
            sys.stderr.write(text + "\n")

    def flush(self) -> None:
        sys.stderr.flush()

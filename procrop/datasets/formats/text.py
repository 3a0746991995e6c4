"""Lines and rows of numbers from text files that people have edited."""

import os
from pathlib import Path

import numpy as np

from ..errors import AnnotationError


def numbered_lines(path: str | os.PathLike) -> list[tuple[int, str]]:
    """Lines of a text file with their numbers from 1; a byte order mark and any line ends do no harm.

    What is not UTF-8 is kept, as characters that are no numbers.

    Raises:
        AnnotationError: The file cannot be read.
    """
    try:
        text = Path(path).read_bytes().decode("utf-8-sig", "surrogateescape")
    except OSError as error:
        raise AnnotationError(f"{path}: the file cannot be read ({error}); check its permissions") from error
    return list(enumerate(text.replace("\r\n", "\n").replace("\r", "\n").split("\n"), start=1))


def row_numbers(line: str, lengths: tuple[int, ...]) -> list[float] | None:
    """The numbers of a line, separated by white space; None unless there are as many as one of ``lengths``."""
    fields = line.split()
    if len(fields) not in lengths or "_" in line:  # Python reads 1_000 as a number
        return None
    try:
        return [float(field) for field in fields]
    except ValueError:
        return None


def plain_numbers(array: np.ndarray) -> list:
    """Numbers for a file: integers where all are whole, as most releases have them; otherwise exact floats."""
    whole = np.rint(array)
    return (whole.astype(np.int64) if np.array_equal(whole, array) else array).tolist()


def row_text(numbers: list) -> str:
    """One line of numbers that reads back exactly."""
    return " ".join(map(repr, numbers))


def encoded(text: str) -> bytes:
    """UTF-8, with the bytes of names that are not UTF-8 as they were."""
    return text.encode("utf-8", "surrogateescape")

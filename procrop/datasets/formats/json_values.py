"""JSON from files that may hold anything."""

import json
import os
from itertools import chain
from pathlib import Path

import numpy as np


def read_json(path: str | os.PathLike) -> object:
    """The value in a JSON file, with or without a byte order mark.

    Raises:
        ValueError: The file cannot be read or is no JSON; the message is the reason alone.
    """
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise ValueError(f"the file cannot be read ({error.strerror})") from error
    return parse_json(data)


def parse_json(data: bytes | str) -> object:
    """The value of a JSON text.

    Raises:
        ValueError: It is none; the message is the reason alone.
    """
    try:
        return json.loads(data.decode("utf-8-sig") if isinstance(data, bytes) else data)
    except RecursionError:
        raise ValueError("not JSON (nested too deeply)") from None
    except ValueError as error:
        raise ValueError(f"not JSON ({error})") from error


def number_rows(rows: object, width: int) -> np.ndarray | None:
    """(n, width) float64 of a list of n >= 1 lists of numbers, which may be NaN; None for anything else."""
    if not isinstance(rows, list) or not rows:
        return None
    if set(map(type, rows)) != {list} or set(map(len, rows)) != {width}:
        return None
    # true and "4" are no numbers
    if not set(map(type, chain.from_iterable(rows))) <= {int, float}:
        return None
    try:
        return np.array(rows, np.float64)
    except OverflowError:
        return None


def whole_size(values: list) -> tuple[int, int] | None:
    """(width, height) in pixels; None for anything but two whole numbers from 1."""
    size = numbers(values, 2)
    if size is None or not all(side.is_integer() and side >= 1 for side in size):
        return None
    return int(size[0]), int(size[1])


def numbers(row: object, length: int) -> list[float] | None:
    """``length`` numbers as floats, which may be NaN; None for anything else."""
    array = number_rows([row], length)
    return None if array is None else array[0].tolist()

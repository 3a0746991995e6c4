"""``--shard I/N`` of the command lines."""

import re


def parse_shard(text: str) -> tuple[int, int]:
    """``I/N`` as two numbers.

    Raises:
        ValueError: It is something else.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not int(match[1]) < int(match[2]):
        raise ValueError(f"--shard takes I/N with I from 0 to N - 1, e.g. 0/4, not {text!r}")
    return int(match[1]), int(match[2])

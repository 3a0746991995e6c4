"""Builds that several processes share: which part is this one's, and on which device it runs."""

import os
import re


def processes_of_torchrun() -> tuple[int, int]:
    """Rank of this process and number of processes; 0 and 1 outside of torchrun."""
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def local_device(device: str) -> str:
    """The device of this process: under torchrun each takes a GPU of its own."""
    rank = os.environ.get("LOCAL_RANK")
    return f"cuda:{rank}" if device == "cuda" and rank is not None else device


def parse_shard(text: str) -> tuple[int, int]:
    """``I/N`` as two numbers.

    Raises:
        ValueError: It is something else.
    """
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if not match or not int(match[1]) < int(match[2]):
        raise ValueError(f"--shard takes I/N with I from 0 to N - 1, e.g. 0/4, not {text!r}")
    return int(match[1]), int(match[2])


def this_share(shard: str | None) -> tuple[int, int] | None:
    """Rank and number of processes as ``--shard`` or torchrun say; None when this process works alone.

    Raises:
        ValueError: ``--shard`` is no I/N, or both say something.
    """
    rank, processes = processes_of_torchrun()
    if shard is None:
        return (rank, processes) if processes > 1 else None
    if processes > 1:
        raise ValueError(
            "--shard is for processes that do not know of each other: leave it out under torchrun"
        )
    return parse_shard(shard)

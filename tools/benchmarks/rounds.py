"""Timing of several ways of doing similar things, in interleaved rounds, by the wall clock and in CPU time."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Times:
    """Seconds of one side, round by round: by the wall clock, and of CPU in all threads of the process."""

    wall: list[float]
    cpu: list[float]


def time_rounds(sides: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, Times]:
    """Run all sides once a round, after a round that does not count; each round begins with another side.

    CPU time counts work that other cores do meanwhile as if it came one after the other, and leaves out what other
    programs take: of a machine that is busy it is the fairer figure, and never the flattering one.

    Args:
        sides: what is run, by name.
        rounds: counted rounds.
    """
    times = {name: Times([], []) for name in sides}
    names = list(sides)
    for number in range(rounds + 1):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            wall, cpu = time.perf_counter(), time.process_time()
            sides[name]()
            if number:
                times[name].wall.append(time.perf_counter() - wall)
                times[name].cpu.append(time.process_time() - cpu)
        print(f"  round {number} of {rounds}", flush=True)
    return times


def speeds(ours: list[float], peer: list[float]) -> tuple[float, float, float]:
    """How fast one side is in units of the other's speed, round by round: median, least, most."""
    ratios = sorted(b / a for a, b in zip(ours, peer, strict=True))
    return statistics.median(ratios), ratios[0], ratios[-1]

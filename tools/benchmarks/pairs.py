"""Timing of two ways of doing the same thing, in interleaved pairs."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class PairedTimes:
    """Seconds of both sides, pair by pair.

    Attributes:
        ours: Seconds of each run of the side that is judged.
        peer: Seconds of each run of the peer.
    """

    ours: list[float]
    peer: list[float]

    @property
    def ratios(self) -> list[float]:
        """ours / peer of each pair, sorted."""
        return sorted(a / b for a, b in zip(self.ours, self.peer, strict=True))

    def row(self, name: str, target: float) -> str:
        """One Markdown row: medians, median ratio with its range, and the target."""
        ratios = self.ratios
        middle = statistics.median(ratios)
        verdict = "met" if middle <= target else "missed"
        return (
            f"| {name} | {statistics.median(self.ours) * 1e3:.0f} ms | {statistics.median(self.peer) * 1e3:.0f} ms "
            f"| {middle:.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f}) | <= {target:.2f} {verdict} |"
        )


def time_pairs(
    ours: Callable[[], object],
    peer: Callable[[], object],
    pairs: int,
    sync: Callable[[], object] | None = None,
) -> PairedTimes:
    """Time two callables alternately, after one unmeasured run of each.

    The order within a pair alternates, so that neither side always runs on warm caches.

    Args:
        ours: The side that is judged.
        peer: What it is compared with.
        pairs: Number of counted pairs.
        sync: Called before each clock reading, e.g. ``torch.cuda.synchronize``.

    Returns:
        PairedTimes: Wall-clock seconds.
    """
    ours(), peer()
    times = PairedTimes([], [])
    for i in range(pairs):
        order = [(ours, times.ours), (peer, times.peer)]
        for run, seconds in order if i % 2 == 0 else reversed(order):
            if sync:
                sync()
            start = time.perf_counter()
            run()
            if sync:
                sync()
            seconds.append(time.perf_counter() - start)
        print(f"  pair {i + 1}/{pairs}: {times.ours[-1] / times.peer[-1]:.3f}", flush=True)
    return times

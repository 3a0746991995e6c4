"""All runs of an ablation, several at once, with progress, and with failures set aside."""

import os
import sys
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from .ablation_plan import Plan
from .ablation_run import AblationRun, Interrupted, RunFailed

_EVERY = 60.0  # seconds between signs of life


def make_runs(plan: Plan, jobs: int = 1) -> list[AblationRun]:
    """Every variant with every seed; all variants of the first seed come first.

    Args:
        plan: The ablation.
        jobs: Runs at once, which share the cores.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // jobs) if jobs > 1 else None
    return [AblationRun(plan, variant, seed, threads) for seed in plan.seeds for variant in plan.variants]


def execute(runs: Sequence[AblationRun], jobs: int = 1) -> dict[str, str]:
    """Do what is missing of all runs.

    Args:
        runs: All of the ablation.
        jobs: How many at once.

    Returns:
        Name of each run that failed -> why; the others are finished.

    Raises:
        ValueError: A folder holds results of other settings; nothing was done.
        KeyboardInterrupt: Ctrl-C; the same call goes on.
    """
    for run in runs:
        run.check()
    missing = [run for run in runs if not run.finished]
    watch, failed = Watch(runs), {}
    watch.tell(f"{len(runs)} runs, {len(runs) - len(missing)} finished before")
    with ThreadPoolExecutor(jobs) as pool:
        pending = {pool.submit(run.run): run for run in missing}
        try:
            while pending:
                done, _ = wait(pending, timeout=_EVERY, return_when=FIRST_COMPLETED)
                for future in done:
                    run = pending.pop(future)
                    reason = _failure(future)
                    if reason is not None:
                        failed[run.name] = reason
                    watch.tell(f"{run.name}: {'done' if reason is None else 'FAILED: ' + reason}")
                if pending and not done:
                    watch.tell("at work")
        except (KeyboardInterrupt, Interrupted) as error:
            for future, run in pending.items():
                future.cancel()
                run.stop()
            raise KeyboardInterrupt from error
    return failed


def _failure(future: Future) -> str | None:
    """Why a run failed, or None; an interruption is passed on."""
    try:
        future.result()
    except (RunFailed, ValueError, OSError) as error:
        return str(error)
    return None


class Watch:
    """Says how far the runs are, and when they may be done.

    Args:
        runs: All of the ablation. Their work is counted in epochs; a run that failed counts as it is.
    """

    def __init__(self, runs: Sequence[AblationRun]) -> None:
        self.runs, self.start = runs, time.monotonic()
        self.total = sum(run.variant.epochs for run in runs)
        self.before = self._done()

    def _done(self) -> int:
        return sum(run.epochs_done for run in self.runs)

    def tell(self, what: str) -> None:
        """Print a line with the totals and the time left."""
        done, finished = self._done(), sum(run.finished for run in self.runs)
        text = f"[{finished}/{len(self.runs)} runs, {done}/{self.total} epochs"
        if done > self.before and done < self.total:
            left = (time.monotonic() - self.start) / (done - self.before) * (self.total - done)
            text += f", about {in_words(left)} left"
        print(f"{text}] {what}", file=sys.stderr, flush=True)


def in_words(seconds: float) -> str:
    """A duration for people."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{max(1, round(seconds))} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"

"""All runs of an ablation, several at once, with progress, and with failures set aside."""

import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from .ablation_plan import Plan
from .ablation_run import TRAINING, AblationRun, Interrupted, RunFailed

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


def execute(runs: Sequence[AblationRun], jobs: int = 1) -> dict[str, RunFailed]:
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
    for warning in missing_test_data(missing):
        print(f"warning: {warning}", file=sys.stderr, flush=True)
    with ThreadPoolExecutor(jobs) as pool:
        pending = {pool.submit(run.run): run for run in missing}
        try:
            while pending:
                done, _ = wait(pending, timeout=_EVERY, return_when=FIRST_COMPLETED)
                for future in done:
                    run = pending.pop(future)
                    failure = _failure(future)
                    if failure is not None:
                        failed[run.name] = failure
                    watch.tell(f"{run.name}: {'done' if failure is None else f'FAILED: {failure}'}")
                if pending and not done:
                    watch.tell("at work")
        except (KeyboardInterrupt, Interrupted) as error:
            for future, run in pending.items():
                future.cancel()
                run.stop()
            raise KeyboardInterrupt from error
    return failed


def _failure(future: Future) -> RunFailed | None:
    """Why a run failed, or None; an interruption is passed on."""
    try:
        future.result()
    except RunFailed as error:
        return error
    except (ValueError, OSError) as error:
        return RunFailed(str(error))
    return None


def missing_test_data(runs: Sequence[AblationRun]) -> list[str]:
    """What the tests that are to be done need and is not there, to be known before days of training.

    Args:
        runs: Those that are not finished.

    Returns:
        A message for each test set, or group of configs, whose photos, gallery or neighbour table is missing.
    """
    from mmengine.config import Config

    from procrop.engine import launch

    found: dict[tuple[str, str], str] = {}  # one of all configs that lack the same
    for run in runs:
        reads = bool(run.variant.cfg["test_dataloader"]["dataset"].get("references"))
        for test in run.plan.tests:
            if not run.tested(test):
                try:
                    cfg = Config(dict(test.of(run.variant)), filename=str(test.path or run.variant.path))
                    launch.check_folders(cfg, (), ("test",), references=reads)
                except launch.UsageError as error:
                    where = "the test set of the configs" if test.cfg is None else test.title
                    lacks = str(error).partition("\n")[0]
                    found.setdefault((where, lacks), f"{where} cannot be tested on yet: {error}")
    return list(found.values())


def without_results(
    runs: Sequence[AblationRun], failed: Mapping[str, RunFailed] | None = None
) -> dict[str, str]:
    """Trainings and tests without results -> why, in one line.

    Args:
        runs: All of the ablation.
        failed: What `execute` gave.
    """
    found = {}
    for run in runs:
        if changed := run.changed:
            found[run.name] = f"its results are of other settings ({', '.join(changed)} changed since)"
            continue
        reasons = failed[run.name].reasons if failed and run.name in failed else {}
        if not run.trained:
            found[run.name] = reasons.get(TRAINING, "not finished")
            continue
        for test in run.plan.tests:
            if not run.tested(test):
                found[f"{run.name} on {test.title}"] = reasons.get(test.title) or reasons.get(
                    TRAINING, "not tested"
                )
    return found


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

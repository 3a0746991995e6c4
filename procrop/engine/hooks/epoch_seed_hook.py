"""Every random draw of an epoch follows from (seed, epoch, rank), so a resumed run draws what the first would have."""

import random
from collections.abc import Iterator

import numpy as np
import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from procrop.registry import HOOKS

_DATA, _MODEL = 0, 1  # two streams, so that dropout does not repeat the numbers that shuffled or augmented


@HOOKS.register_module()
class EpochSeedHook(Hook):
    """Seed Python, NumPy and torch anew for each epoch, and tell the datasets which epoch it is.

    Saved generator states would not do: validation draws between the checkpoint and the next epoch, and mmengine seeds
    its workers alike in every epoch. So there are two moments. Before the epoch, ahead of the loader's iterator, whose
    workers take their seeds from torch's generator at that time; and before the first step, when the first batch is
    drawn and only the model is left to draw. Exact for epoch-based training with non-persistent workers.

    The training data take the run's seed, whatever ``seed`` their config gives: one number decides a run. Those of
    validation and test keep theirs, so that runs with different seeds are measured alike.
    """

    priority = "HIGH"

    def before_train(self, runner: Runner) -> None:
        """Let data, sampler and workers follow the run's seed, which a resume may have set after they were built."""
        loader = runner.train_dataloader
        for dataset in nested_datasets(
            loader.dataset
        ):  # the loader's workers copy it when they start, which is later
            if hasattr(dataset, "seed"):
                dataset.seed = runner.seed
        sampler = getattr(loader.batch_sampler, "sampler", loader.sampler)
        if hasattr(sampler, "seed") and not runner._randomness_cfg.get("diff_rank_seed", False):
            sampler.seed = runner.seed
        loader.worker_init_fn = seed_worker

    def before_train_epoch(self, runner: Runner) -> None:
        """Seed what shuffles, loads and augments."""
        for dataset in nested_datasets(runner.train_dataloader.dataset):
            if hasattr(dataset, "set_epoch"):
                dataset.set_epoch(runner.epoch)
        seed_everything(runner.seed, runner.epoch, runner.rank, _DATA)

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: object = None) -> None:
        """Seed the model's own draws at the first step of an epoch."""
        if batch_idx == 0:
            seed_everything(runner.seed, runner.epoch, runner.rank, _MODEL)


def seed_everything(*entropy: int) -> None:
    """Seed Python, NumPy and torch (GPUs included) from a tuple of integers, mixed so that neighbours are unrelated."""
    words = np.random.SeedSequence([int(e) % 2**64 for e in entropy]).generate_state(4)
    random.seed(int(words[0]))
    np.random.seed(words[1])
    torch.manual_seed(int(words[2]) << 32 | int(words[3]) >> 1)


def seed_worker(worker_id: int) -> None:
    """Seed a loader's worker from torch's per-epoch worker seed; mmengine's own function repeats it every epoch."""
    seed_everything(torch.initial_seed() % 2**63)


def nested_datasets(dataset: object) -> Iterator[object]:
    """A dataset and all that it wraps (repeats, concatenations, slices, subsets)."""
    yield dataset
    inner = [getattr(dataset, name, None) for name in ("dataset", "_dataset")]
    inner += list(getattr(dataset, "datasets", None) or [])
    for part in inner:
        if part is not None and hasattr(part, "__getitem__"):
            yield from nested_datasets(part)

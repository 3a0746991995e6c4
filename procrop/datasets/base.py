"""What all datasets of annotated crops share: reproducible randomness and plain words about bad files."""

import copy
import hashlib
import logging
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from mmengine.dataset import BaseDataset, Compose
from mmengine.logging import print_log

from procrop.io import PhotoError

from .errors import AnnotationError, DatasetNotFoundError

__all__ = ["AnnotationError", "CropDataset", "DatasetNotFoundError"]


class CropDataset(BaseDataset):
    """Base of the datasets of annotated crops.

    A subclass writes ``load_data_list``, which returns one dict per photo: ``img_path`` (str), ``img_id`` (str,
    unique), ``source_id`` (str, equal for photos made from one original), ``gt_bboxes`` (n, 4) float32 xyxy in
    pixels of the upright original photo, ``gt_scores`` (n,) float32, ``gt_positives`` (n,) bool.

    Whatever a transform draws from ``random``, ``numpy.random`` or ``torch`` (CPU) is a function of ``seed``, the
    epoch and ``img_id`` alone: neither the worker, the rank nor the order of the samples matters, and the global
    generators are left as they were. The training loop tells the epoch through :meth:`set_epoch`.

    Args:
        seed: seed of all random draws of the pipeline. A training replaces it by its own (EpochSeedHook).
        skip_bad_photos: in training, replace a photo or annotation that cannot be loaded by another sample,
            chosen from (seed, epoch, img_id), log it and count it in ``num_skipped``; otherwise the error,
            which names the file, is raised.
        references: config of a LoadReferences that runs before the pipeline; None = a model without references.
            (Beside the pipeline, not in it, so that a config overrides one key of it.) In test mode no reference
            is dropped at random.
        text: likewise the config of a LoadTextTokens; None = a model without text.
        **kwargs: arguments of mmengine's BaseDataset: ``data_root``, ``pipeline``, ``test_mode``, ``indices``,
            ``lazy_init``, ``metainfo``, ``serialize_data`` and so on.
    """

    METAINFO = dict(classes=("crop",))

    def __init__(
        self,
        seed: int = 0,
        skip_bad_photos: bool = False,
        references: dict | None = None,
        text: dict | None = None,
        pipeline: Sequence[dict | Callable] = (),
        **kwargs: Any,
    ) -> None:
        self.seed = seed
        self.skip_bad_photos = skip_bad_photos
        # epoch and number of skipped samples, in memory that living workers see
        self._shared = torch.zeros(2, dtype=torch.int64).share_memory_()
        # references first: their draws are the same with text and without
        self._contexts = [step for step in (references, text) if step is not None]
        super().__init__(pipeline=self._with_contexts(pipeline, kwargs.get("test_mode", False)), **kwargs)

    @property
    def epoch(self) -> int:
        """The epoch that random draws belong to."""
        return int(self._shared[0])

    def set_epoch(self, epoch: int) -> None:
        """Tell the epoch, to the workers that already run too."""
        self._shared[0] = epoch

    @property
    def num_skipped(self) -> int:
        """How many times a sample was replaced because its files could not be loaded."""
        return int(self._shared[1])

    def in_test_mode(self, pipeline: Sequence[dict | Callable]) -> "CropDataset":
        """The same samples with another pipeline and nothing left to chance, e.g. to predict on training photos.

        Annotations are shared, not copied; the references are those of this dataset.
        """
        other = copy.copy(self)
        other.test_mode = True
        other.pipeline = Compose(self._with_contexts(pipeline, test_mode=True))
        return other

    def _with_contexts(self, pipeline: Sequence[dict | Callable], test_mode: bool) -> list[dict | Callable]:
        """The pipeline behind the steps that load references and text, if there are any."""
        chance = dict(drop_prob=0.0) if test_mode else {}
        return [*({**step, **chance} for step in self._contexts), *pipeline]

    def check_files(self) -> None:
        """See within a moment whether the files are there; for a dataset made with ``lazy_init``, which reads none.

        Raises:
            DatasetNotFoundError: they are not.
        """

    def prepare_data(self, idx: int) -> Any:
        """Run the pipeline on one sample under its own random state.

        Raises:
            PhotoError: the photo cannot be read.
            AnnotationError: the annotation does not fit the photo.
        """
        info = self.get_data_info(idx)
        try:
            return self._run_pipeline(info)
        except (PhotoError, AnnotationError) as error:
            if self.test_mode or not self.skip_bad_photos:
                raise
            return self._substitute(info["img_id"], error)

    def _run_pipeline(self, info: dict) -> Any:
        with _random_state_of(self.seed, self.epoch, info["img_id"]):
            return self.pipeline(info)

    def _substitute(self, img_id: str, error: ValueError) -> Any:
        order = np.random.default_rng(_sample_seed(self.seed, self.epoch, img_id)).permutation(len(self))
        for attempts, idx in enumerate(order[: self.max_refetch], start=1):
            other = self.get_data_info(int(idx))
            try:
                result = self._run_pipeline(other)
            except (PhotoError, AnnotationError):
                continue
            self._shared[1] += attempts
            text = f"{error} -- sample {other['img_id']!r} takes its place"
            print_log(text, logger="current", level=logging.WARNING)
            return result
        raise error

    def _copy_without_annotation(self, memo: dict | None = None) -> "CropDataset":
        # BaseDataset's own default is one dict shared by all calls
        other = super()._copy_without_annotation({} if memo is None else memo)
        other._shared = self._shared.clone().share_memory_()
        return other


def _sample_seed(seed: int, epoch: int, img_id: str) -> int:
    text = f"{seed}/{epoch}/{img_id}".encode("utf-8", "surrogateescape")
    return int.from_bytes(hashlib.sha256(text).digest()[:8], "little")


@contextmanager
def _random_state_of(seed: int, epoch: int, img_id: str) -> Iterator[None]:
    """Seed the three global generators for one sample, and put their states back afterwards."""
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    number = _sample_seed(seed, epoch, img_id)
    random.seed(number)
    np.random.seed([number & 0xFFFFFFFF, number >> 32])
    # not torch.manual_seed, which would touch CUDA from a loader's worker
    torch.default_generator.manual_seed(number >> 1)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])

"""Adding of what the model labelled for itself to a sample's annotated crops."""

import os

import numpy as np
import torch
from mmcv.transforms import BaseTransform

from procrop.registry import TRANSFORMS

from ..pseudo_labels import PhotoLabels, PseudoLabelStore


@TRANSFORMS.register_module()
class LoadPseudoLabels(BaseTransform):
    """Append a version of pseudo labels to the annotated crops, as further positives that score less.

    In a training a PseudoLabelHook says which store and which version; until its first version, and for a photo that
    the version has no labels for, a sample passes as it is. All workers read the version that the hook set before the
    epoch began. Comes before LoadCropAnnotations, for the boxes are in pixels of the whole photo.

    Required keys: ``img_id``, ``gt_bboxes`` (n, 4), ``gt_scores`` (n,), ``gt_positives`` (n,).

    Modified keys: the last three, longer by the photo's labels.

    Args:
        folder: a store that is used as it is, without a hook; None waits for the hook's.
        version: its version; None takes the newest. Needs ``folder``.

    Raises:
        ValueError: a version without a folder.
    """

    def __init__(self, folder: str | None = None, version: int | None = None) -> None:
        if version is not None and folder is None:
            raise ValueError("LoadPseudoLabels: a version needs the folder of its store")
        self.folder = folder
        # in memory that living workers see
        self._version = torch.zeros(1, dtype=torch.int64).share_memory_()
        self._opened: tuple[str | None, int, dict[str, PhotoLabels]] = (None, 0, {})
        if folder is not None:
            self._version[0] = PseudoLabelStore(folder).latest if version is None else version

    @property
    def version(self) -> int:
        """Version that samples are given; 0 for none."""
        return int(self._version[0])

    def set_version(self, folder: str | os.PathLike, version: int) -> None:
        """Read a version of a store from now on; called in the main process, before workers start an epoch.

        Raises:
            PseudoLabelError: it cannot be read.
        """
        self.folder = os.fspath(folder)
        self._version[0] = version
        self.labels()

    def labels(self) -> dict[str, PhotoLabels]:
        """Labels of the present version by ``img_id``; workers that are forked off inherit what was read before."""
        wanted = (self.folder, self.version)
        if self._opened[:2] != wanted:
            found = PseudoLabelStore(self.folder).read(self.version) if self.folder is not None else {}
            self._opened = (*wanted, found)
        return self._opened[2]

    def transform(self, results: dict) -> dict:
        """Add the labels to a sample.

        Raises:
            PseudoLabelError: the version cannot be read.
        """
        labels = self.labels().get(results["img_id"])
        if labels is None or not len(labels.boxes) or results.get("gt_bboxes") is None:
            return results
        count = len(labels.boxes)
        added = dict(
            gt_bboxes=labels.boxes.astype(np.float32),
            gt_scores=labels.scores.astype(np.float32),
            gt_positives=np.ones(count, dtype=bool),
        )
        for key, values in added.items():
            results[key] = np.concatenate([np.asarray(results[key]), values])
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}(folder={self.folder!r}, version={self.version})"

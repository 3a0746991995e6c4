"""Crop photos with a trained checkpoint."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import cv2
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import DefaultScope

from procrop.apis.crop_result import CropResult, Reference
from procrop.apis.live_references import LiveReferences, open_gallery
from procrop.engine.checkpoint import load_checkpoint_file, load_weights
from procrop.engine.config_text import checkpoint_config
from procrop.io import PhotoError, read_photo
from procrop.registry import MODELS, TRANSFORMS
from procrop.structures import CropDataSample

Photo = str | os.PathLike | np.ndarray


class CropInferencer:
    """A trained cropper, ready for photos.

    .. code-block:: text

        photo ─► LoadPhoto ─► gallery search (K references) ─► rest of the test pipeline ─► model ─► CropResult

    The checkpoint is all it takes: it holds the merged config and says which encoder its gallery must come from.
    A model without retrieval works the same, with no gallery. A model with components of your own needs the module
    that registers them to be imported first.

    Args:
        checkpoint: a ``.pth`` file of this project's training.
        gallery: folder of the gallery to take references from; by default the one of the training.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, …; by default the first GPU if there is one.
        k: references per photo; by default as many as in training.
        query_encoder: a file of ``tools/distill_keys.py``: the gallery is searched with that small encoder, and the
            one that made it is not built.

    Raises:
        CheckpointError: the checkpoint is missing, damaged, holds no config, or does not fit its own model.
        GalleryMismatchError: the gallery is missing or was made by another encoder.
        GalleryError: the query encoder was distilled from another gallery, or cannot be read.
        ValueError: an argument cannot be used.

    Example::

        cropper = CropInferencer("work_dirs/quickstart/train/epoch_12.pth")
        for result in cropper(["holiday.jpg", "portrait.png"], top_k=1):
            print(result.path, result.boxes, result.rejected)
    """

    def __init__(
        self,
        checkpoint: str | os.PathLike,
        gallery: str | os.PathLike | None = None,
        device: str | None = None,
        k: int | None = None,
        query_encoder: str | os.PathLike | None = None,
    ) -> None:
        self.checkpoint = os.fspath(checkpoint)
        self.device = _pick_device(device)
        loaded = load_checkpoint_file(checkpoint)
        self.cfg = checkpoint_config(loaded, self.checkpoint)
        steps, references = _test_steps(self.cfg, self.checkpoint)
        self.references = _live_references(
            references, gallery, k, loaded, self.checkpoint, str(self.device), query_encoder
        )
        with DefaultScope.overwrite_default_scope("procrop"):
            self.model = MODELS.build(self.cfg.model)
            built = [TRANSFORMS.build(step) for step in steps]
        if self.references is not None:
            kinds = [type(step).__name__ for step in built]
            built.insert(
                kinds.index("LoadPhoto") + 1, self.references
            )  # it searches with the photo as loaded
        self.pipeline = Compose(built)
        load_weights(self.model, loaded, strict=True, name=self.checkpoint)
        self.model.to(self.device).eval()

    @property
    def num_queries(self) -> int | None:
        """Crops the model predicts per photo, where its head says so."""
        return getattr(getattr(self.model, "bbox_head", None), "num_queries", None)

    def __call__(self, photos: Sequence[Photo] | Photo, top_k: int = 3) -> Iterator[CropResult]:
        """Crop photos one after the other; each result comes as soon as it is there.

        Args:
            photos: files, or (H, W, 3) uint8 RGB arrays of upright photos, or one of them.
            top_k: crops per photo.

        Returns:
            An iterator over one result per photo, in order. A photo that cannot be read or is too large for the
            device gives a result with ``rejected`` set, and the next one follows.

        Raises:
            ValueError: ``top_k`` is below 1 or above what the model predicts.
        """
        self.check_top_k(top_k)
        if isinstance(photos, str | os.PathLike | np.ndarray):
            photos = [photos]
        return self._results(photos, top_k)

    def check_top_k(self, top_k: int) -> None:
        """Raise a ValueError if the model cannot give ``top_k`` crops."""
        if top_k < 1:
            raise ValueError(f"top_k must be at least 1, got {top_k}")
        if self.num_queries is not None and top_k > self.num_queries:
            raise ValueError(f"this model predicts {self.num_queries} crops per photo, top_k={top_k} is more")

    def _results(self, photos: Sequence[Photo], top_k: int) -> Iterator[CropResult]:
        for number, photo in enumerate(photos):
            if isinstance(photo, np.ndarray):
                yield self.crop(photo, None, top_k, name=f"array {number}")
                continue
            try:
                pixels = read_photo(photo)
            except PhotoError as error:
                yield CropResult(os.fspath(photo), rejected=error.reason)
                continue
            yield self.crop(pixels, photo, top_k)

    @torch.no_grad()
    def crop(
        self,
        photo: np.ndarray,
        path: str | os.PathLike | None = None,
        top_k: int = 3,
        name: str = "array",
    ) -> CropResult:
        """Crop one photo that is already in memory.

        Args:
            photo: (H, W, 3) uint8 RGB, upright.
            path: the file it came from: it becomes the result's path, and keeps a gallery photo from being its own
                reference.
            top_k: crops.
            name: path of the result where there is no file.
        """
        name = name if path is None else os.fspath(path)
        fault = _fault(photo)
        if fault:
            return CropResult(name, rejected=fault)
        height, width = photo.shape[:2]
        results = dict(photo=photo, img_path=None if path is None else name, img_id=name, source_id=name)
        try:
            data = self.pipeline(results)
        except cv2.error:  # a side that rounds to no pixel at the model's input size
            return CropResult(
                name, (width, height), rejected=f"{width} x {height} pixels are too narrow a strip"
            )
        try:
            sample = self.model.test_step(
                {"inputs": [data["inputs"]], "data_samples": [data["data_samples"]]}
            )[0]
        except (MemoryError, RuntimeError) as error:
            if not _is_out_of_memory(error):
                raise
            reason = f"{width} x {height} pixels are too many for the memory of {self.device}"
            return CropResult(name, (width, height), rejected=reason)
        boxes, scores = _best(sample, (width, height), top_k)
        if not len(boxes):
            return CropResult(
                name, (width, height), rejected="the model gave no usable crop (NaN or no area)"
            )
        return CropResult(name, (width, height), boxes, scores, self._used(sample))

    def _used(self, sample: CropDataSample) -> list[Reference]:
        """List the references that the model saw."""
        if self.references is None or "references" not in sample:
            return []
        gallery, seen = self.references.gallery, sample.references
        present = ~seen.mask.cpu().numpy()
        ids, scores = seen.ids.cpu().numpy()[present], seen.scores.cpu().numpy()[present]
        return [
            Reference(int(i), str(gallery.names[i]), float(score), os.fspath(gallery.photo_path(int(i))))
            for i, score in zip(ids, scores, strict=True)
        ]


def _pick_device(name: str | None) -> torch.device:
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"{name!r} is no device; use cpu, cuda or cuda:<number>") from error
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ValueError(
            f"there is no device {name!r}: {torch.cuda.device_count()} GPUs can be used; leave the device out"
        )
    return device


def _test_steps(cfg: Config, checkpoint: str) -> tuple[list[dict], dict | None]:
    """Split the test pipeline into steps that every photo takes and the settings of LoadReferences, if any."""
    dataset = cfg.get("test_dataloader", {}).get("dataset", {})
    while "pipeline" not in dataset:  # a wrapper around the dataset proper
        inner = dataset.get("dataset") or next(iter(dataset.get("datasets") or []), None)
        if inner is None:
            raise ValueError(
                f"{checkpoint}: its config has no test pipeline (test_dataloader.dataset.pipeline); train with one"
            )
        dataset = inner
    references = dataset.get("references")
    steps = []
    for step in dataset["pipeline"]:
        kind = step["type"].rsplit(".", 1)[-1]
        if kind == "LoadReferences":
            references = step
        elif kind != "LoadCropAnnotations":
            steps.append(step)
    if references is not None and references.get("gallery") is None:
        references = None  # LoadReferences itself is off without a gallery
    return steps, references


def _live_references(
    settings: Mapping[str, Any] | None,
    gallery: str | os.PathLike | None,
    k: int | None,
    loaded: Mapping[str, Any],
    checkpoint: str,
    device: str,
    query_encoder: str | os.PathLike | None,
) -> LiveReferences | None:
    if settings is None:
        for given, what in ((gallery, "gallery"), (query_encoder, "query encoder")):
            if given is not None:
                raise ValueError(f"{checkpoint}: this model works without references; leave the {what} out")
        return None
    folder = settings["gallery"] if gallery is None else gallery
    own = (loaded.get("meta") or {}).get("procrop") or {}
    opened = open_gallery(folder, own.get("retrieval"), checkpoint)
    k = settings.get("k", 10) if k is None else k
    return LiveReferences(opened, folder, k, settings.get("what", "image"), device, query_encoder)


def _fault(photo: np.ndarray) -> str | None:
    """Say why an array cannot be a photo, if it cannot."""
    if photo.dtype != np.uint8 or photo.ndim != 3 or photo.shape[2] != 3 or 0 in photo.shape:
        return f"a photo in memory is an (H, W, 3) uint8 RGB array, this is {photo.dtype} {photo.shape}"
    return None


def _is_out_of_memory(error: Exception) -> bool:
    # torch raises a type of its own on a GPU, and a plain RuntimeError on a CPU
    return isinstance(error, MemoryError | torch.cuda.OutOfMemoryError) or "allocate memory" in str(error)


def _best(sample: CropDataSample, size: tuple[int, int], top_k: int) -> tuple[np.ndarray, np.ndarray]:
    """The first ``top_k`` crops with finite numbers and an area, clipped to the photo: (n, 4) and (n,) float64."""
    boxes = sample.pred_instances.bboxes.detach().cpu().numpy().astype(np.float64)
    scores = sample.pred_instances.scores.detach().cpu().numpy().astype(np.float64)
    boxes = np.clip(boxes, 0, [*size, *size])
    good = np.isfinite(scores) & np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > boxes[:, :2]).all(axis=1)
    boxes, scores = boxes[good], scores[good]
    order = np.argsort(-scores, kind="stable")[:top_k]
    return boxes[order], scores[order]

"""Crop photos with an exported cropper."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from procrop.inference.crop_choice import choose_crops, find_references, said_of
from procrop.inference.crop_request import CropRequest
from procrop.inference.crop_result import CropResult
from procrop.inference.photo_cropper import PhotoCropper
from procrop.inference.photo_intake import TakenPhoto
from procrop.inference.seen_photo import SeenPhoto, rejecting, without_padding
from procrop.structures import gaic_grid_rows

from .export_folder import ExportFolder, needed
from .preprocessing import Preprocessing

if TYPE_CHECKING:  # a model without references or text needs nothing that imports torch
    from onnxruntime import InferenceSession

    from procrop.inference.live_references import FoundReferences, LiveReferences, ReferenceQuery
    from procrop.inference.live_text import LiveText, PhotoText

_CPU = "CPUExecutionProvider"


@dataclass(frozen=True, eq=False)
class PreparedPhoto(SeenPhoto):
    """A photo as the graph takes it; any number of requests can be answered from it, each with a run of the graph.

    Attributes:
        inputs: ``image`` and ``photo_size``.
        text: its text; None without.
        query: what the gallery is searched with; None for a model without references.
    """

    inputs: Mapping[str, np.ndarray]
    text: "PhotoText | None" = None
    query: "ReferenceQuery | None" = None


class OnnxCropper(PhotoCropper):
    """An exported cropper, ready for photos: the answers of CropInferencer, by onnxruntime.

    .. code-block:: text

        photo ─► resize, normalise ─┐
        gallery search, text ───────┴─► model.onnx ─► boxes, scores ─► selection ─► CropResult
                                             └─► score_boxes.onnx ◄─────────┘ where a shape is asked for

    The model needs no torch. The encoders that search a gallery and read captions do: they are those of the training,
    and are not exported. A model without references and text imports neither torch nor mmdet.

    Args:
        folder: what ``procrop export`` wrote.
        gallery: folder of the gallery to take references from; by default the one of the training.
        k: references per photo; by default as many as in training.
        query_encoder: a file of ``tools/distill_keys.py`` to search the gallery with.
        text: whether the model's text branch is used; as for CropInferencer.
        text_encoder: config to build in place of the training's text encoder; as for CropInferencer.
        providers: execution providers of onnxruntime, in the order of preference; the CPU's by default.
        threads: threads of one run; by default one per core.

    Raises:
        ExportError: the folder holds no finished export, or was changed.
        GalleryMismatchError: the gallery is missing or was made by another encoder.
        TextMismatchError: the text encoder cannot be made, or is not that of the training.
        ImportError: onnxruntime is missing.
        ValueError: an argument cannot be used.

    Example::

        cropper = OnnxCropper("exported", gallery="work_dirs/quickstart/gallery")
        result = cropper.crop("holiday.jpg", request=CropRequest(ratio="1:1"))
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        gallery: str | os.PathLike | None = None,
        k: int | None = None,
        query_encoder: str | os.PathLike | None = None,
        text: bool | None = None,
        text_encoder: Mapping[str, Any] | None = None,
        providers: Sequence[str] | None = None,
        threads: int | None = None,
    ) -> None:
        runtime = needed("onnxruntime")
        self.checkpoint = os.fspath(folder)
        opened = ExportFolder.open(folder)
        self.settings = opened.settings
        self.preprocessing = Preprocessing.from_dict(self.settings["preprocessing"])
        self._inputs = {tensor["name"]: tensor for tensor in self.settings["inputs"]}
        self._k, self._query_encoder = k, query_encoder
        self.references = self._open_gallery(gallery)
        self._reads_text = self.settings["text"] is not None
        self.text = self._open_text(text, text_encoder)
        providers = list(providers or [_CPU])
        unknown = [name for name in providers if name not in runtime.get_available_providers()]
        if unknown:
            known = ", ".join(runtime.get_available_providers())
            raise ValueError(f"this onnxruntime has no provider {unknown[0]!r}; it has {known}")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = threads or 0
        self._model, self._scorer = (
            runtime.InferenceSession(os.fspath(file), options, providers=providers)
            for file in (opened.model, opened.score_boxes)
        )

    @property
    def num_queries(self) -> int | None:
        """Crops the model predicts per photo, where its head says so."""
        return self.settings["head"]["num_queries"]

    def use_gallery(self, folder: str | os.PathLike | None) -> None:
        """Take references from another gallery from now on; None takes that of the training.

        Raises:
            GalleryMismatchError: the gallery is missing or was made by another encoder; the one before stays.
            ValueError: the model works without references.
        """
        if self.settings["references"] is None:
            raise ValueError(f"{self.checkpoint}: this model works without references; leave the gallery out")
        self.references = self._open_gallery(folder, self.references)

    def _open_gallery(
        self, folder: str | os.PathLike | None, before: "LiveReferences | None" = None
    ) -> "LiveReferences | None":
        training = self.settings["references"]
        if training is None and folder is None and self._query_encoder is None:
            return None
        from procrop.inference.checkpoint_parts import ReferenceSettings

        trained = None if training is None else training["trained"]
        settings = ReferenceSettings(training, trained, self.checkpoint, "cpu", self._k, self._query_encoder)
        return settings.open(folder, before)

    def _open_text(self, wanted: bool | None, encoder: Mapping[str, Any] | None) -> "LiveText | None":
        if not self._reads_text and not wanted and encoder is None:
            return None
        from procrop.inference.checkpoint_parts import live_text

        trained = self.settings["text"] and self.settings["text"]["trained"]
        return live_text(self._reads_text, wanted, trained, encoder, self.checkpoint, "cpu")

    def _rejecting(self, name: str, size: tuple[int, int]) -> AbstractContextManager[None]:
        return rejecting(name, size, "onnxruntime")

    def _embed(self, taken: TakenPhoto, caption: str | None) -> PreparedPhoto:
        size = taken.pixels.shape[1::-1]
        with self._rejecting(taken.name, size):
            text = None if self.text is None else self.text.read(taken.pixels, caption)
            query = None if self.references is None else self.references.embed(taken.pixels, taken.path)
            inputs = self.preprocessing(taken.pixels)
        return PreparedPhoto(taken.name, size, taken.pixels, inputs, text, query)

    def _answer(
        self, embedding: PreparedPhoto, text: "PhotoText | None", request: CropRequest, attention: bool
    ) -> CropResult:
        if attention:
            raise ValueError(
                f"{self.checkpoint}: an exported model does not tell its attention; CropInferencer does"
            )
        found = None
        if self.references is not None:
            found = find_references(self.references, embedding, embedding.query, request)
        outputs = self._run(self._model, {**embedding.inputs, **self._contexts(found, text)})
        boxes, scores = self._predictions(outputs, embedding.size)
        scorer = self._box_scorer(outputs, embedding.size)
        evidence = self._evidence(outputs, embedding)
        selected = choose_crops(embedding, boxes, scores, scorer, request, evidence)
        return said_of(embedding, selected, text, self.references, found)

    def _contexts(self, found: "FoundReferences | None", text: "PhotoText | None") -> dict[str, np.ndarray]:
        """References and text of one photo, as the graph takes them."""
        given = {}
        if found is not None:
            given = {f"reference_{name}": value.numpy()[None] for name, value in found.fields.items()}
        if text is not None:
            given["text_tokens"] = text.tokens[None]
            given["text_mask"] = np.zeros((1, len(text.tokens)), dtype=bool)
        arrays = {}
        for name, tensor in self._inputs.items():
            if name.startswith(("reference_", "text_")):
                none = np.zeros(
                    [size if isinstance(size, int) else int(size == "batch") for size in tensor["shape"]]
                )
                arrays[name] = np.asarray(given.get(name, none), dtype=tensor["dtype"])
        return arrays

    def _predictions(
        self, outputs: Mapping[str, np.ndarray], size: tuple[int, int]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Boxes (N, 4) float64 in pixels and scores (N,) float64, best first, as the heads' ``predict`` gives them."""
        boxes, scores = outputs["boxes"][0], outputs["scores"][0]
        ranks = outputs["mos"][0] if "mos" in outputs else scores
        rows = np.arange(len(boxes))
        if "grid_rule" in self.settings["head"]:
            found = gaic_grid_rows(*size, self.settings["head"]["grid_rule"])
            rows = found if len(found) else rows
        rows = rows[np.argsort(-ranks[rows], kind="stable")]
        return _to_pixels(boxes[rows], size).astype(np.float64), scores[rows].astype(np.float64)

    def _box_scorer(
        self, outputs: Mapping[str, np.ndarray], size: tuple[int, int]
    ) -> Callable[[np.ndarray], np.ndarray]:
        """Scores (M,) float64 of boxes (M, 4) in pixels of the photo, by the second graph."""
        kept = {
            value.name: outputs[value.name] for value in self._scorer.get_inputs() if value.name in outputs
        }

        def score_boxes(boxes: np.ndarray) -> np.ndarray:
            boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
            if not len(boxes):
                return np.zeros(0)
            candidates = (boxes / [*size, *size]).astype(np.float32)[None]
            scored = self._run(self._scorer, {"candidates": candidates, **kept})
            return scored["candidate_scores"][0].astype(np.float64)

        return score_boxes

    @staticmethod
    def _evidence(outputs: Mapping[str, np.ndarray], photo: PreparedPhoto) -> np.ndarray | None:
        """Where the model sees the subject (h, w), if the graph tells."""
        if "evidence" not in outputs:
            return None
        (shape,) = photo.inputs["photo_size"][:, ::-1].tolist()
        return without_padding(outputs["evidence"][0], shape, photo.inputs["image"].shape[-2:])

    @staticmethod
    def _run(session: "InferenceSession", inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, dict(inputs)), strict=True))


def _to_pixels(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """What ``to_pixels`` of the heads does, in numpy: (N, 4) float32, clipped, at least one pixel each way."""
    sides = np.float32(size)
    top_left = np.minimum(np.maximum(boxes[:, :2] * sides, 0), sides - 1)
    bottom_right = np.minimum(np.maximum(boxes[:, 2:] * sides, top_left + 1), sides)
    return np.concatenate([top_left, bottom_right], axis=1)

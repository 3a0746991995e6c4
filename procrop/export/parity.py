"""Whether an exported cropper says what the model says: asked at sizes other than the one it was traced with."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from mmengine.structures import InstanceData

from procrop.structures import CropDataSample

from .crop_graph import CropGraph
from .export_folder import ExportError
from .graph_tensors import CANDIDATES, GraphTensor

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

TOLERANCE = 1e-4
_CROPS = 2  # of a reference


@dataclass(frozen=True)
class Case:
    """Sizes to ask about: photos, sides of the image in units of the divisor, references, words, boxes."""

    batch: int
    height: int
    width: int
    references: int
    words: int
    candidates: int

    def sizes(self, divisor: int) -> dict[str, int]:
        """Name of a size of the graph to number; sides are multiples of ``divisor``, and odd where that is 1."""
        unit = divisor if divisor > 1 else 33
        sides = dict(height=self.height * unit, width=self.width * unit)
        contexts = dict(references=self.references, words=self.words, crops=_CROPS)
        return dict(batch=self.batch, candidates=self.candidates) | sides | contexts


TRACED = Case(2, 2, 3, 2, 3, 2)
CHECKED = (Case(1, 3, 2, 0, 0, 5), Case(1, 2, 2, 1, 7, 1), Case(2, 4, 3, 5, 1, 3))


def random_inputs(
    inputs: tuple[GraphTensor, ...], sizes: Mapping[str, int], seed: int = 0
) -> dict[str, np.ndarray]:
    """Arrays for a graph's inputs: noise, about a third of the references absent, and every photo padded."""
    rng = np.random.default_rng(seed)
    arrays = {}
    for tensor in inputs:
        shape = tuple(sizes.get(size, size) for size in tensor.shape)
        if tensor.name == "photo_size":
            side = np.array([sizes["width"], sizes["height"]])
            padding = [side * (i + 1) // 7 for i in range(shape[0])]
            arrays[tensor.name] = (side - padding).astype(np.int64)
        elif tensor.name == "text_mask":  # behind the words
            length = rng.integers(0, shape[1] + 1, size=(shape[0], 1))
            arrays[tensor.name] = np.arange(shape[1]) >= length
        elif tensor.dtype == "bool":
            arrays[tensor.name] = rng.random(shape) < 1 / 3
        elif tensor.shape[-1] == 4:  # boxes
            corners = np.sort(rng.random((*shape[:-1], 2, 2)), axis=-2)
            arrays[tensor.name] = corners.reshape(shape).astype(np.float32)
        else:
            arrays[tensor.name] = rng.standard_normal(shape).astype(np.float32)
    return arrays


def samples_of(arrays: Mapping[str, np.ndarray]) -> list[CropDataSample]:
    """The same as data samples, as the pipeline makes them; what is empty is not there at all."""
    samples = []
    for i, size in enumerate(arrays["photo_size"].tolist()):
        shape = tuple(arrays["image"].shape[-2:])
        sample = CropDataSample(
            metainfo=dict(img_shape=tuple(size[::-1]), batch_input_shape=shape, ori_shape=shape)
        )
        fields = {
            name.removeprefix("reference_"): torch.as_tensor(values[i])
            for name, values in arrays.items()
            if name.startswith("reference_")
        }
        if fields and len(fields["mask"]):
            fields.setdefault(
                "scores", torch.zeros(len(fields["mask"]))
            )  # where the model does not read them
            sample.references = InstanceData(**fields)
        if "text_tokens" in arrays:
            sample.text_tokens = torch.as_tensor(arrays["text_tokens"][i][~arrays["text_mask"][i]])
        samples.append(sample)
    return samples


@torch.no_grad()
def largest_difference(
    graph: CropGraph, model: "InferenceSession", score_boxes: "InferenceSession", case: Case, divisor: int
) -> float:
    """How far the boxes and scores of two sessions lie from those of the model, by its own way from data samples.

    Returns:
        The largest difference; scores above 1 (of given boxes) count relative to their size.
    """
    sizes = case.sizes(divisor)
    arrays = random_inputs(graph.inputs, sizes)
    candidates = random_inputs((CANDIDATES,), sizes)
    features = graph.model.extract_memory(torch.as_tensor(arrays["image"]), samples_of(arrays))
    expected = [value.numpy() for value in graph.head(features)[:2]]
    expected.append(_score(graph, features, candidates[CANDIDATES.name]))
    found = dict(zip([o.name for o in graph.outputs], model.run(None, arrays), strict=True))
    if graph.tells_evidence:
        seen = graph.model.see(torch.as_tensor(arrays["image"])).evidence
        if not np.allclose(found["evidence"], seen.numpy(), rtol=TOLERANCE, atol=TOLERANCE):
            return np.inf
    kept = {t.name: found[t.name] for t in graph.score_boxes.inputs[1:]}
    (scored,) = score_boxes.run(None, candidates | kept)
    return max(
        _distance(a, b) for a, b in zip(expected, [found["boxes"], found["scores"], scored], strict=True)
    )


def check(
    graph: CropGraph, model: "InferenceSession", score_boxes: "InferenceSession", divisor: int
) -> float:
    """The largest difference of all checked sizes.

    Raises:
        ExportError: it is above the tolerance.
    """
    differences = {case: largest_difference(graph, model, score_boxes, case, divisor) for case in CHECKED}
    for case, difference in differences.items():
        if not difference <= TOLERANCE:  # NaN is no success
            raise ExportError(
                f"the exported model is {difference:.2g} away from the PyTorch model at {case}, more than {TOLERANCE}: "
                "a part of it does in Python what depends on the size of its input, so it cannot be exported"
            )
    return max(differences.values())


def _score(graph: CropGraph, features: object, candidates: np.ndarray) -> np.ndarray:
    from mmdet.structures.bbox import bbox_xyxy_to_cxcywh

    boxes = bbox_xyxy_to_cxcywh(torch.as_tensor(candidates))
    return graph.model.bbox_head.score_boxes(features, boxes).numpy()


def _distance(expected: np.ndarray, found: np.ndarray) -> float:
    return float((np.abs(expected - found) / np.maximum(1, np.abs(expected))).max(initial=0))


def names(inputs: tuple[GraphTensor, ...]) -> Iterator[str]:
    """Names of tensors."""
    return (tensor.name for tensor in inputs)

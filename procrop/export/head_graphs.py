"""The crop heads as functions of tensors: what they predict, and how they score boxes that are given."""

import torch
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_xyxy_to_cxcywh
from torch import Tensor, nn

from procrop.models.heads import BaseCropHead, CropDETRHead, CropFeatures, GridAnchorHead
from procrop.models.heads.crop_detr_head import scored_boxes
from procrop.structures import TokenSet, gaic_grid_anchors

from . import graph_tensors as tensors
from .export_folder import ExportError


def head_graph(head: BaseCropHead) -> nn.Module:
    """The graph of a head.

    Returns:
        A module from CropFeatures to its ``outputs``, with ``score_boxes``, a module from ``inputs`` (``candidates``
        and some of those outputs) to the candidates' scores.

    Raises:
        ExportError: the head is of another kind.
    """
    for kind, graph in ((CropDETRHead, DETRGraph), (GridAnchorHead, GridGraph)):
        if isinstance(head, kind):
            return graph(head)
    raise ExportError(f"{type(head).__name__} cannot be exported; CropDETRHead and GridAnchorHead can")


class DETRGraph(nn.Module):
    """The predictions of a CropDETRHead, in the order of its queries."""

    scores_of_boxes = "sum over the predictions of score * IoU(prediction, box) ** vote_gamma"

    def __init__(self, head: CropDETRHead) -> None:
        super().__init__()
        self.head = head
        self.outputs = tuple(tensors.prediction_tensors(head.num_queries))
        self.score_boxes = VoteGraph(head, self.outputs)

    def forward(self, features: CropFeatures) -> tuple[Tensor, ...]:
        logits, boxes = self.head(features)
        scores, boxes = scored_boxes(logits[-1], boxes[-1])
        return boxes, scores


class VoteGraph(nn.Module):
    """The vote of the predictions on given boxes; it has no weights."""

    def __init__(self, head: CropDETRHead, predictions: tuple[tensors.GraphTensor, ...]) -> None:
        super().__init__()
        self.overlaps = head.overlaps
        self.inputs = (tensors.CANDIDATES, *predictions)

    def forward(self, candidates: Tensor, boxes: Tensor, scores: Tensor) -> Tensor:
        return torch.einsum("bmn,bn->bm", self.overlaps(bbox_xyxy_to_cxcywh(candidates), boxes), scores)


class GridGraph(nn.Module):
    """The scores of a GridAnchorHead on the whole GAIC grid, and the features that further boxes are scored by."""

    scores_of_boxes = "mean opinion score, unclipped"

    def __init__(self, head: GridAnchorHead) -> None:
        super().__init__()
        self.head = head
        grid = torch.as_tensor(gaic_grid_anchors(1, 1, "all"), dtype=torch.float32)
        self.register_buffer("grid", bbox_xyxy_to_cxcywh(grid), persistent=False)
        features = _grid_features(head.embed_dims, head.reads_memory)
        mos = tensors.GraphTensor(
            "mos", "float32", ("batch", len(grid)), "the scores as mean opinion scores, unclipped"
        )
        self.outputs = (*tensors.prediction_tensors(len(grid)), mos, *features)
        self.score_boxes = GridScoreGraph(head, features)

    def forward(self, features: CropFeatures) -> tuple[Tensor, ...]:
        grid = self.grid.expand(features.feature_map.size(0), -1, -1)
        mos = self.head.score_boxes(features, grid)
        kept = [features.feature_map, features.extent]
        if self.head.reads_memory:
            kept += [features.memory.tokens, features.memory.pos, features.memory.mask]
        return bbox_cxcywh_to_xyxy(grid), ((mos - 1) / 4).clamp(0, 1), mos, *kept


class GridScoreGraph(nn.Module):
    """Mean opinion scores of given boxes."""

    def __init__(self, head: GridAnchorHead, features: tuple[tensors.GraphTensor, ...]) -> None:
        super().__init__()
        self.head = head
        self.inputs = (tensors.CANDIDATES, *features)

    def forward(self, candidates: Tensor, feature_map: Tensor, extent: Tensor, *memory: Tensor) -> Tensor:
        # a head that does not read the memory gets one that says nothing
        memory = TokenSet(*memory) if memory else TokenSet(feature_map.flatten(2).transpose(1, 2))
        return self.head.score_boxes(
            CropFeatures(feature_map, memory, extent), bbox_xyxy_to_cxcywh(candidates)
        )


def _grid_features(width: int, with_memory: bool) -> tuple[tensors.GraphTensor, ...]:
    sequence = ("batch", "tokens", width)
    features = [
        tensors.GraphTensor(
            "feature_map", "float32", ("batch", width, "rows", "columns"), "of the padded image"
        ),
        tensors.GraphTensor(
            "extent", "float32", ("batch", 2), "width and height of the photo in cells of the map"
        ),
    ]
    if with_memory:
        features += [
            tensors.GraphTensor(
                "memory", "float32", sequence, "tokens of the photo, fused with the contexts"
            ),
            tensors.GraphTensor("memory_positions", "float32", sequence, "their positions"),
            tensors.GraphTensor("memory_mask", "bool", sequence[:2], "true = padding or absent"),
        ]
    return tuple(features)

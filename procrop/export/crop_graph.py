"""A cropper as a function of tensors alone: what is exported in place of ProCrop, which takes data samples."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from procrop.models.backbones import SAMBackbone
from procrop.models.croppers import ProCrop
from procrop.models.heads import CropFeatures
from procrop.models.layers import extent_in_cells, padding_mask
from procrop.models.necks import ReferenceEncoder, TextContextEncoder
from procrop.structures import TokenSet

from . import graph_tensors as tensors
from .export_folder import ExportError
from .head_graphs import head_graph


class CropGraph(nn.Module):
    """Photos, references and captions in, crops out.

    .. code-block:: text

        image, photo_size ─► backbone, neck, encoder ─┐
        reference_* ─► ReferenceEncoder ──────────────┼─► fusion ─► head ─► boxes, scores, what score_boxes takes
        text_tokens, text_mask ─► TextContextEncoder ─┘

    One absent reference and one absent caption token are added to those that come, so that no tensor inside is ever
    empty, for any number of references, zero included. The model ignores what is absent.

    Args:
        model: the cropper; its modules are used, not copied.

    Attributes:
        inputs, outputs: of :meth:`forward`, in order.
        score_boxes: the second graph; its inputs are ``candidates`` and outputs of this one.

    Raises:
        ExportError: a part of the model cannot be exported.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        if not isinstance(model, ProCrop):
            raise ExportError(f"only a ProCrop can be exported, this is a {type(model).__name__}")
        if isinstance(model.backbone, SAMBackbone):
            raise ExportError(
                "SAMBackbone cannot be exported: its windows and positions are laid out anew in Python for every size; "
                "export a model with another image backbone (references found by SAM are no obstacle)"
            )
        self.model = model
        self.inputs = (tensors.IMAGE, tensors.PHOTO_SIZE, *_context_inputs(model))
        self.head = head_graph(model.bbox_head)
        self.outputs, self.score_boxes = self.head.outputs, self.head.score_boxes
        self.tells_evidence = hasattr(model.backbone, "subject_map")
        if self.tells_evidence:
            self.outputs = (*self.outputs, tensors.EVIDENCE)

    def forward(self, *given: Tensor) -> tuple[Tensor, ...]:
        """See :attr:`inputs` and :attr:`outputs`."""
        named = {tensor.name: value for tensor, value in zip(self.inputs, given, strict=True)}
        feature_map, evidence, _ = self.model.see(named["image"])
        predicted = self.head(self._features(feature_map, named))
        return (*predicted, evidence) if self.tells_evidence else predicted

    def _features(self, feature_map: Tensor, given: Mapping[str, Tensor]) -> CropFeatures:
        model, image, sizes = self.model, given["image"], given["photo_size"]
        padded = image.shape[-2:]
        memory = model.place_tokens(feature_map, padding_mask(sizes, padded, feature_map))
        if not model.fuse_before_encoder:
            memory = model.encode(memory)
        if model.fusion is not None:
            memory = model.fusion(memory, self._contexts(given))
        if model.fuse_before_encoder:
            memory = model.encode(memory)
        return CropFeatures(feature_map, memory, extent_in_cells(sizes, padded, feature_map))

    def _contexts(self, given: Mapping[str, Tensor]) -> dict[str, TokenSet]:
        contexts = {}
        for name, encoder in self.model.context_encoders.items():
            if isinstance(encoder, ReferenceEncoder):
                contexts[name] = encoder.project(_StackedReferences(given))
            else:
                mask = given["text_mask"]
                contexts[name] = encoder.project(_one_more(given["text_tokens"], 0.0), _one_more(mask, True))
        return contexts


class _StackedReferences:
    """A ReferenceBatch of tensors that are stacked already, with one absent reference more."""

    num_slots = 1  # at least

    def __init__(self, given: Mapping[str, Tensor]) -> None:
        self._given = given
        self.mask = self.stack("mask", pad=True)

    @property
    def scores(self) -> Tensor:
        """Similarities; asked for only where the model reads them, and so they are an input."""
        return self.stack("scores")

    def stack(self, name: str, shape: tuple[int | None, ...] = (), pad: float | bool = 0.0) -> Tensor:
        """One field of every reference; ``shape`` is what the graph's input has anyway."""
        field = _one_more(self._given[f"reference_{name}"], pad)
        return _one_more(field, pad, dim=2) if None in shape else field


def _one_more(field: Tensor, pad: float | bool, dim: int = 1) -> Tensor:
    """Append an entry of padding, 0 or 1, to an axis."""
    shape = list(field.shape)
    shape[dim] = 1
    return torch.cat([field, field.new_ones(shape) if pad else field.new_zeros(shape)], dim=dim)


def _context_inputs(model: ProCrop) -> list[tensors.GraphTensor]:
    found = []
    for name, encoder in model.context_encoders.items():
        if name == "references" and isinstance(encoder, ReferenceEncoder):
            shape = None
            if encoder.what != "annotation":
                shape = (encoder.token_grid[0] * encoder.token_grid[1], encoder.in_channels)
            similarity = encoder.similarity_proj is not None
            found += tensors.reference_tensors(shape, similarity, encoder.what != "image")
        elif name == "text_tokens" and isinstance(encoder, TextContextEncoder):
            found += tensors.text_tensors(encoder.in_channels)
        else:
            raise ExportError(
                f"context {name!r} of a {type(encoder).__name__} cannot be exported; only references of a "
                "ReferenceEncoder and text_tokens of a TextContextEncoder can"
            )
    return found

"""Where a crop looked: the attention of decoder and fusion, as shares of references, photo and text."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import numpy as np
import torch
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh
from mmengine.structures import InstanceData
from torch import Tensor, nn

from procrop.inference.reference_attention import ReferenceAttention
from procrop.models.heads import CropDETRHead
from procrop.models.heads.base_crop_head import to_pixels
from procrop.models.heads.crop_detr_head import scored_boxes
from procrop.models.necks import FusionNeck, ReferenceEncoder

_REFERENCES, _TEXT = "references", "text_tokens"
_BEHIND = ("photo", "text", "null")  # columns that follow those of the references


class AttentionUndefinedError(ValueError):
    """A model in which no share of the attention belongs to a single reference; the message says why."""


def why_no_attention(model: nn.Module) -> str | None:
    """Why the attention on single references is not defined in a model, or None where it is."""
    head, fusion = getattr(model, "bbox_head", None), getattr(model, "fusion", None)
    if not isinstance(head, CropDETRHead):
        return f"{type(head or model).__name__} has no decoder whose attention on the memory could be shown"
    if fusion is None:
        return None
    if not isinstance(fusion, FusionNeck):
        return f"{type(fusion).__name__} mixes references and photo into the same tokens before the decoder sees them"
    if model.fuse_before_encoder:
        return "the references are fused before the encoder, which mixes them with the photo's tokens"
    for name, encoder in model.context_encoders.items():
        if name == _REFERENCES and not isinstance(encoder, ReferenceEncoder):
            return f"{type(encoder).__name__} does not say which reference a token belongs to"
        if name == _REFERENCES and fusion.context_grid == "photo":
            return "the references are averaged (context_grid='photo') before anything attends to them"
        if name not in (_REFERENCES, _TEXT):
            return f"its context {name!r} is neither references nor text"
    return None


@contextmanager
def record_attention(model: nn.Module) -> "Iterator[AttentionRecord]":
    """Listen to what a cropper attends to while it answers.

    The crops are the same to the bit. The decoder's weights are those that it computes anyway; those of the fusion,
    which it never forms, are computed a second time for the record. Outside the block a model costs what it always did.
    A record hears all calls of its model, so one thread at a time may use the model meanwhile.

    Args:
        model: a ProCrop in evaluation mode. Fusion and head must be called inside the block; the image backbone and
            the encoder need not.

    Yields:
        The record. Ask it for :meth:`AttentionRecord.shares` after the head was called, inside the block or behind it.

    Raises:
        AttentionUndefinedError: see :func:`why_no_attention`.
        ValueError: the model is in training mode, in which dropout falsifies weights.

    Example::

        with record_attention(model) as record:
            (sample,) = model.test_step(batch)
        attention = record.shares(sample.pred_instances.bboxes[:3], size=(width, height))
    """
    reason = why_no_attention(model)
    if reason is not None:
        raise AttentionUndefinedError(f"attention per reference is not defined for this model: {reason}")
    if model.training:
        raise ValueError("attention is recorded in evaluation mode only; call model.eval() first")
    record = AttentionRecord(model)
    with ExitStack() as stack:
        for module, hook in record.hooks(model):
            stack.callback(module.register_forward_hook(hook).remove)
        before = model.bbox_head.register_forward_pre_hook(lambda *_: record.forget_decoder())
        stack.callback(before.remove)
        for layer in model.bbox_head.decoder.layers:
            stack.enter_context(_watched(layer.cross_attn, record.add_layer))
        yield record


@contextmanager
def _watched(attention: nn.Module, take: Callable[[Tensor], None]) -> Iterator[None]:
    """Show the weights of mmdet's ConditionalAttention, which it computes and drops, to someone."""
    whole, before = attention.forward_attn, vars(attention).get("forward_attn")

    def watched(*args: Tensor | None, **kwargs: Tensor | None) -> tuple[Tensor, Tensor]:
        attended, weights = whole(*args, **kwargs)
        take(weights)
        return attended, weights

    attention.forward_attn = watched
    try:
        yield
    finally:
        del attention.forward_attn
        if before is not None:
            attention.forward_attn = before


class AttentionRecord:
    r"""What a model attended to in its last call.

    .. code-block:: text

        crop n ── decoder, mean over heads and layers ──► f̃                                       photo
                                                     ├──► Π(R) token of reference k                reference k
                                                     ├──► f_c token i ── fusion, mean over heads ─► reference k, or null
                                                     └──► Π′(M), f′_c the same                     text, or null

    A path has the product of its weights, and a share is the sum over its paths: those of a crop have the sum 1.
    References that learned queries read first (``num_latents``) are one step further on. What residual connections and
    feed-forward layers carry besides is not seen: attention tells where a crop looked, not what it would be without.
    """

    def __init__(self, model: nn.Module) -> None:
        self._head = model.bbox_head
        self._layers: list[Tensor] = []
        self._output: tuple[Tensor, Tensor] | None = None
        # of a model without fusion the memory is the photo's own, whatever its length
        self._segments: list | None = [] if model.fusion is not None else None
        self._fusion: dict[str, Tensor] = {}
        self._references: list[InstanceData | None] = []
        self._owners = torch.zeros(0, dtype=torch.int64)
        self._latents: Tensor | None = None

    def hooks(self, model: nn.Module) -> Iterator[tuple[nn.Module, Callable]]:
        """Modules of a model, and what is to be called after each of them."""
        yield model.bbox_head, lambda _, __, out: setattr(self, "_output", out)
        if model.fusion is None:
            return
        yield model.fusion, lambda neck, args, _: setattr(self, "_segments", neck.segments(*args))
        for name, attention in model.fusion.attentions.items():
            yield (
                attention,
                lambda module, args, _, name=name: self._fusion.update({name: module.weights(*args)}),
            )
        encoder = model.context_encoders[_REFERENCES] if _REFERENCES in model.context_encoders else None
        if encoder is not None:
            yield encoder, self._take_references
            if encoder.resampler is not None:
                read = encoder.resampler.attention
                yield read, lambda module, args, _: setattr(self, "_latents", module.weights(*args))

    def forget_decoder(self) -> None:
        """Begin anew: the head is called, for the first time or once more."""
        self._layers, self._output = [], None

    def add_layer(self, weights: Tensor) -> None:
        """Take the weights (B, N, n) of the decoder's next layer."""
        self._layers.append(weights)

    def _take_references(self, encoder: ReferenceEncoder, args: tuple, _: object) -> None:
        self._references, self._owners = list(args[0]), encoder.owners(args[0])

    @torch.no_grad()
    def shares(self, boxes: np.ndarray | Tensor, size: tuple[int, int], photo: int = 0) -> ReferenceAttention:
        """Shares of crops.

        A box that the model predicted has those of its query. Another box, made for a ratio for instance, has the mean
        over the queries, weighted by their votes on it as in :meth:`CropDETRHead.score_boxes`.

        Args:
            boxes: (n, 4) xyxy in pixels of the upright photo.
            size: its (width, height).
            photo: number of the photo in the batch.

        Raises:
            RuntimeError: the record holds no call of fusion and head that belong together.
        """
        if self._output is None or not self._layers:
            raise RuntimeError("no attention was recorded: call the model's head inside record_attention")
        memory = self._layers[0].shape[2]
        if self._segments is not None and sum(part.length for part in self._segments) != memory:
            raise RuntimeError(
                f"the head read a memory of {memory} tokens, which no recorded fusion made: call both inside "
                "record_attention"
            )
        decoder = sum(weights[photo].double().cpu() for weights in self._layers) / len(self._layers)
        paths = self._paths(photo, memory)
        voters = self._voters(torch.as_tensor(boxes).cpu().double().view(-1, 4), size, photo)
        found = voters @ (decoder @ paths)  # (n, K slots + photo, text, null)
        ids, groups = self._identities(photo)
        slots = found[:, : -len(_BEHIND)]
        summed = slots.new_zeros(len(slots), len(ids)).index_add_(1, groups, slots[:, : len(groups)])
        behind = {name: found[:, i - len(_BEHIND)].numpy() for i, name in enumerate(_BEHIND)}
        present = np.isin(np.arange(len(ids)), groups[self._present(photo)].numpy())
        return ReferenceAttention(ids[present], summed.numpy()[:, present], **behind)

    def _present(self, photo: int) -> Tensor:
        """Which slots (k,) of a photo hold a reference."""
        row = self._references[photo] if self._references else None
        return torch.zeros(0, dtype=torch.bool) if row is None else ~row.mask.cpu()

    def _identities(self, photo: int) -> tuple[np.ndarray, Tensor]:
        """Ids (K,) in order of their first slot, and for each slot (k,) of the photo the place of its id."""
        row = self._references[photo] if self._references else None
        if row is None or not len(row):
            return np.zeros(0, dtype=np.int64), torch.zeros(0, dtype=torch.int64)
        ids = list(dict.fromkeys(row.ids.tolist()))
        return np.array(ids, dtype=np.int64), torch.tensor([ids.index(number) for number in row.ids.tolist()])

    def _paths(self, photo: int, memory: int) -> Tensor:
        """Where each token of the memory leads, (memory, K slots + photo, text, null); rows have the sum 1."""
        slots = int(self._owners.max()) + 1 if len(self._owners) else 0
        photo_column, text, null = (slots + i for i in range(len(_BEHIND)))
        width = slots + len(_BEHIND)

        def lead_to(columns: Tensor | list[int]) -> Tensor:
            return nn.functional.one_hot(torch.as_tensor(columns, dtype=torch.int64), width).double()

        def context_paths(name: str, length: int) -> Tensor:
            if name != _REFERENCES:
                return lead_to([text] * length)
            if self._latents is None:
                return lead_to(self._owners)
            return self._latents[photo].double().cpu() @ lead_to([null, *self._owners.tolist()])

        parts = []
        for term, name, length in [("photo", None, memory)] if self._segments is None else self._segments:
            if term == "photo":
                parts.append(lead_to([photo_column] * length))
            elif term == "context":
                parts.append(context_paths(name, length))
            else:
                weights = self._fusion[name][photo].double().cpu()
                parts.append(
                    weights @ torch.cat([lead_to([null]), context_paths(name, weights.shape[1] - 1)])
                )
        return torch.cat(parts)

    def _voters(self, boxes: Tensor, size: tuple[int, int], photo: int) -> Tensor:
        """How much each query counts for each box, (n, N) float64; rows have the sum 1."""
        width, height = size
        logits, predicted = (part[-1, photo : photo + 1].cpu() for part in self._output)
        scores, places = scored_boxes(logits, predicted)
        pixels = to_pixels(places[0], (height, width)).double()
        normalised = bbox_xyxy_to_cxcywh(boxes / boxes.new_tensor([width, height, width, height]))
        overlap, _ = self._head.votes(logits, predicted, normalised.unsqueeze(0))
        votes = (overlap * scores.unsqueeze(1))[0].double()
        free = torch.ones(len(pixels), dtype=torch.bool)
        for row, box in zip(votes, boxes, strict=True):
            own = torch.nonzero((pixels == box).all(dim=1) & free).squeeze(1)
            if len(own):
                query = own[scores[0, own].argmax()]
                free[query] = False  # queries with the same box come in the order of their scores
                row.zero_()
                row[query] = 1
        return votes / votes.sum(dim=1, keepdim=True)

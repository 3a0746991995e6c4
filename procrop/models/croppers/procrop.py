"""ProCrop: the cropper that ties backbone, encoder, contexts, fusion and head together."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from mmdet.models.detectors import BaseDetector
from mmdet.models.layers import DetrTransformerEncoder, SinePositionalEncoding
from torch import Tensor, nn

from procrop.registry import MODELS
from procrop.structures import CropDataSample, TokenSet

from ..heads import CropFeatures
from ..layers import extent_in_cells, padding_mask
from ..utils import SelfTeacher
from .photo_features import PhotoFeatures


class Sight(NamedTuple):
    """What the image backbone sees of photos.

    Attributes:
        feature_map: (B, d, h, w), projected.
        evidence: (B, rows, columns) where it sees the photos' subjects, if it has a ``subject_map`` of what it gives.
        look: what it gave on the way, if it has a ``forward_with_look`` and has seen the photos as they came.
    """

    feature_map: Tensor
    evidence: Tensor | None = None
    look: Any = None


@MODELS.register_module()
class ProCrop(BaseDetector):
    r"""Retrieval-augmented cropper.

    .. code-block:: text

        photo (B, 3, H, W) ─► backbone ─► neck 1×1 ─► encoder ─► f̃ (B, p, d) ─┐
                                                                               ├─► fusion ─► memory ─► head ─► crops
        references R (K, m, d_r) of each photo ─► context encoder Π ───────────┘

    Without ``fusion`` the memory is f̃ alone: the retrieval-free model of Jia et al., with the same weights.

    Args:
        backbone (dict): Image backbone; its last feature map is used.
        neck (dict): Maps that feature map to (B, d, h, w).
        encoder (dict, optional): Arguments of mmdet's ``DetrTransformerEncoder``; without one the photo's tokens are
            the cells of the feature map.
        bbox_head (dict): Crop head.
        positional_encoding (dict): Arguments of mmdet's ``SinePositionalEncoding``; 2 · num_feats = d.
        context_encoders (dict, optional): Context name → encoder of that context. An encoder is called with
            the samples' field of that name, one entry a photo (None where absent), and a tensor that gives
            device and dtype.
        fusion (dict, optional): Fusion neck; needed if there are context encoders.
        ranking_loss (dict, optional): A SubWindowRankingLoss beside the losses of the head, through ``score_boxes``.
        fuse_before_encoder (bool): Fuse the contexts into the neck's tokens, so that the encoder sees all of the
            memory; by default into f̃, behind the encoder.
        train_cfg, test_cfg (dict, optional): Unused; accepted because mmdet's tools pass them.
        data_preprocessor (dict, optional): Normalisation and padding (bottom, right).
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        encoder: dict | None,
        bbox_head: dict,
        positional_encoding: dict | None = None,
        context_encoders: dict | None = None,
        fusion: dict | None = None,
        ranking_loss: dict | None = None,
        fuse_before_encoder: bool = False,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        if bool(context_encoders) != bool(fusion):
            raise ValueError("ProCrop needs `context_encoders` and `fusion` together, or neither")
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.positional_encoding = SinePositionalEncoding(
            **(positional_encoding or dict(num_feats=128, normalize=True))
        )
        self.encoder = DetrTransformerEncoder(**encoder) if encoder else None
        self.context_encoders = nn.ModuleDict(
            {name: MODELS.build(cfg) for name, cfg in (context_encoders or {}).items()}
        )
        self.fusion = MODELS.build(fusion) if fusion else None
        self.fuse_before_encoder = fuse_before_encoder
        self.bbox_head = MODELS.build(bbox_head)
        self.ranking_loss = MODELS.build(ranking_loss) if ranking_loss else None
        self.teacher: SelfTeacher | None = None  # set while a SelfDistillationHook is at work
        if self.fusion is not None and not self.bbox_head.reads_memory:
            raise ValueError(
                f"{type(self.bbox_head).__name__} does not read the memory, so references would do nothing: give it "
                "`memory_attention`, or set `context_encoders` and `fusion` to None"
            )
        widths = {2 * self.positional_encoding.num_feats, self.bbox_head.embed_dims}
        if self.encoder is not None:
            widths.add(self.encoder.embed_dims)
        if len(widths) > 1:
            raise ValueError(
                f"ProCrop: positions, encoder and head differ in width: {sorted(widths)} "
                "(2 * num_feats of the positional encoding must equal embed_dims)"
            )

    @property
    def takes_soft_targets(self) -> bool:
        """Whether the head can learn from a teacher's scores."""
        return self.bbox_head.takes_soft_targets

    def init_weights(self) -> None:
        """Xavier for the encoder's matrices; every other part initialises itself."""
        super().init_weights()
        if self.encoder is None:
            return
        for p in self.encoder.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)

    def extract_feat(self, batch_inputs: Tensor) -> Tensor:
        """Photos (B, 3, H, W), normalised and padded, to a feature map (B, d, h, w)."""
        return self.neck(self.backbone(batch_inputs))[-1]

    def see(self, batch_inputs: Tensor) -> Sight:
        """The same feature map, and with it what else the backbone tells of the photos."""
        if not hasattr(self.backbone, "subject_map"):
            return Sight(self.extract_feat(batch_inputs))
        if hasattr(self.backbone, "forward_with_look"):
            stages, look = self.backbone.forward_with_look(batch_inputs)
        else:
            stages, look = self.backbone(batch_inputs), None
        evidence = self.backbone.subject_map(stages, batch_inputs.shape[-2:])
        return Sight(self.neck(stages)[-1], evidence, look)

    def photo_tokens(self, feature_map: Tensor, data_samples: Sequence[CropDataSample]) -> TokenSet:
        """The feature map as tokens (B, h·w, d) with positions; padding is masked (mask None if there is none)."""
        return self.place_tokens(feature_map, self._padding_mask(feature_map, data_samples))

    def place_tokens(self, feature_map: Tensor, mask: Tensor | None) -> TokenSet:
        """The feature map as tokens with positions; mask (B, h, w) bool, True = padding, None = there is none."""
        pos = self.positional_encoding(mask, input=feature_map)
        return TokenSet(
            feature_map.flatten(2).transpose(1, 2),
            pos.flatten(2).transpose(1, 2).to(feature_map.dtype),
            None if mask is None else mask.flatten(1),
            tuple(feature_map.shape[-2:]),
        )

    def encode(self, query: TokenSet) -> TokenSet:
        """The encoder's tokens, with positions, mask and grid as they came; f̃ where the photo's own came. Without an
        encoder they stay as they are."""
        if self.encoder is None:
            return query
        tokens = self.encoder(query=query.tokens, query_pos=query.pos, key_padding_mask=query.mask)
        return TokenSet(tokens, query.pos, query.mask, query.grid)

    def fuse(self, query: TokenSet, data_samples: Sequence[CropDataSample]) -> TokenSet:
        """The photo's tokens fused with the contexts that the samples carry."""
        if self.fusion is None:
            return query
        contexts = {}
        for name, encoder in self.context_encoders.items():
            context = encoder([sample.get(name) for sample in data_samples], query.tokens)
            if context is not None:
                contexts[name] = context
        return self.fusion(query, contexts)

    def embed_photo(self, batch_inputs: Tensor, data_samples: Sequence[CropDataSample]) -> PhotoFeatures:
        """What does not depend on contexts: the part of :meth:`extract_memory` that a photo needs once, whatever it is
        then fused with. Of the samples only ``img_shape`` and ``batch_input_shape`` count."""
        feature_map, evidence, look = self.see(batch_inputs)
        tokens = self.photo_tokens(feature_map, data_samples)
        if not self.fuse_before_encoder:
            tokens = self.encode(tokens)
        return PhotoFeatures(feature_map, tokens, self._extent(feature_map, data_samples), evidence, look)

    def fuse_photo(self, photo: PhotoFeatures, data_samples: Sequence[CropDataSample]) -> CropFeatures:
        """The rest of :meth:`extract_memory`: what the head reads, of photos embedded before and the contexts that the
        samples carry now."""
        memory = self.fuse(photo.tokens, data_samples)
        if self.fuse_before_encoder:
            memory = self.encode(memory)
        return CropFeatures(photo.feature_map, memory, photo.extent)

    def extract_memory(self, batch_inputs: Tensor, data_samples: Sequence[CropDataSample]) -> CropFeatures:
        """Everything before the head: the feature map, the memory, and the photos' extent in the map."""
        return self.fuse_photo(self.embed_photo(batch_inputs, data_samples), data_samples)

    def loss(self, batch_inputs: Tensor, batch_data_samples: Sequence[CropDataSample]) -> dict[str, Tensor]:
        """Losses of the head by name, and ``loss_ranking`` where there is a ranking loss."""
        features = self.extract_memory(batch_inputs, batch_data_samples)
        options = {}
        if self.teacher is not None:
            options["soft_targets"] = self.teacher.soft_targets(batch_inputs, batch_data_samples)
        losses = self.bbox_head.loss(features, batch_data_samples, **options)
        if self.ranking_loss is not None:
            losses["loss_ranking"] = self.ranking_loss(self.bbox_head, features, batch_data_samples)
        return losses

    def predict(
        self, batch_inputs: Tensor, batch_data_samples: Sequence[CropDataSample]
    ) -> Sequence[CropDataSample]:
        """The samples with ``pred_instances``: all crops, best first, in pixels of the upright originals."""
        features = self.extract_memory(batch_inputs, batch_data_samples)
        for sample, crops in zip(
            batch_data_samples, self.bbox_head.predict(features, batch_data_samples), strict=True
        ):
            sample.pred_instances = crops
            if "rows" in crops:  # the annotated crops themselves were scored
                sample.candidate_scores = crops.mos[crops.rows.argsort()]
        return batch_data_samples

    def _forward(self, batch_inputs: Tensor, batch_data_samples: Sequence[CropDataSample]) -> tuple | Tensor:
        """What the head gives without post-processing; CropDETRHead: logits (L, B, N) and normalised cxcywh boxes
        (L, B, N, 4)."""
        return self.bbox_head(self.extract_memory(batch_inputs, batch_data_samples))

    @staticmethod
    def _extent(feature_map: Tensor, data_samples: Sequence[CropDataSample]) -> Tensor:
        """(B, 2) float32: width and height of each unpadded photo in cells of the feature map."""
        return extent_in_cells(
            _sizes(data_samples, feature_map), data_samples[0].batch_input_shape, feature_map
        )

    @staticmethod
    def _padding_mask(feature_map: Tensor, data_samples: Sequence[CropDataSample]) -> Tensor | None:
        """(B, h, w) bool, True = padding; None when no photo of the batch is padded."""
        shape = tuple(data_samples[0].batch_input_shape)
        if all(tuple(sample.img_shape[:2]) == shape for sample in data_samples):
            return None
        return padding_mask(_sizes(data_samples, feature_map), shape, feature_map)


def _sizes(data_samples: Sequence[CropDataSample], like: Tensor) -> Tensor:
    """Width and height of each unpadded photo in pixels, (B, 2) int64."""
    return torch.tensor([sample.img_shape[1::-1] for sample in data_samples], device=like.device)

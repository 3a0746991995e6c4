"""The DETR crop head: learnable anchors decoded against the memory."""

from collections.abc import Callable, Sequence

import torch
from mmcv.cnn import Linear
from mmdet.models.layers import MLP, inverse_sigmoid
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy, bbox_overlaps, bbox_xyxy_to_cxcywh
from mmdet.utils import reduce_mean
from mmengine.model import bias_init_with_prob
from mmengine.structures import InstanceData
from torch import Tensor, nn

from procrop.registry import MODELS, TASK_UTILS
from procrop.structures import CropDataSample

from ..layers import ConditionalCropDecoder
from .base_crop_head import BaseCropHead, CropFeatures, SoftTargets, to_pixels


@MODELS.register_module()
class CropDETRHead(BaseCropHead):
    r"""N learnable anchors, a Conditional DETR decoder, and shared branches for score and box.

    The set prediction of Jia et al. 2022 on the memory of the fusion neck:

    .. code-block:: text

        anchors (N, d) ─► decoder (L layers) ◄─ memory
                              │ hidden states (L, B, N, d), reference points (B, N, 2)
              score branch ◄──┴──► box branch: t = MLP(h); t_xy += σ⁻¹(ref); box = σ(t)

    Only positive crops are matched (Hungarian, afresh in every layer) and regressed; an unmatched query is
    pushed towards 0, or towards a soft label that follows the annotated quality around it. All losses are
    normalised by the number of positives over all processes. A photo whose logits or boxes are not finite is not
    matched: its losses are NaN, so that whoever watches the losses (NonFiniteLossHook) can name step and photo.

    Args:
        decoder (dict): Arguments of :class:`ConditionalCropDecoder`.
        num_queries (int): N.
        embed_dims (int): Model width d.
        loss_cls, loss_bbox, loss_iou (dict): Losses with their weights.
        assigner (dict): One-to-one assigner of queries to positive crops.
        soft_label (dict, optional): Label maker for unmatched queries; None = 0 for all.
        matched_label (dict, optional): Label maker for matched queries from the scores of their crops; None = 1 for
            all.
        vote_gamma (float): γ of :meth:`score_boxes`, at least 1.
        train_cfg, test_cfg: Unused; mmdet's builders hand them over.
    """

    takes_soft_targets = True

    def __init__(
        self,
        decoder: dict,
        num_queries: int = 90,
        embed_dims: int = 256,
        loss_cls: dict | None = None,
        loss_bbox: dict | None = None,
        loss_iou: dict | None = None,
        assigner: dict | None = None,
        soft_label: dict | None = None,
        vote_gamma: float = 4.0,
        matched_label: dict | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        if not vote_gamma >= 1:
            raise ValueError(f"CropDETRHead: vote_gamma must be at least 1, got {vote_gamma}")
        self.num_queries, self.embed_dims, self.vote_gamma = num_queries, embed_dims, vote_gamma
        self.decoder = ConditionalCropDecoder(**decoder)
        self.query_embedding = nn.Embedding(num_queries, embed_dims)
        self.cls_branch = Linear(embed_dims, 1)
        self.reg_branch = MLP(embed_dims, embed_dims, 4, 3)
        self.loss_cls = MODELS.build(
            loss_cls or dict(type="FocalLoss", gamma=2.0, alpha=0.25, loss_weight=2.0)
        )
        self.loss_bbox = MODELS.build(loss_bbox or dict(type="L1Loss", loss_weight=5.0))
        self.loss_iou = MODELS.build(loss_iou or dict(type="GIoULoss", loss_weight=2.0))
        self.assigner = TASK_UTILS.build(assigner or _default_assigner())
        self.soft_label = TASK_UTILS.build(soft_label) if soft_label else None
        self.matched_label = TASK_UTILS.build(matched_label) if matched_label else None

    def init_weights(self) -> None:
        """Xavier for the decoder, a 1 % prior for the scores, and boxes that start as half-size, centred on
        their reference point (last box layer zero)."""
        super().init_weights()
        for p in self.decoder.parameters():
            if p.dim() > 1:
                nn.init.xavier_uniform_(p)
        nn.init.constant_(self.cls_branch.bias, bias_init_with_prob(0.01))
        nn.init.zeros_(self.reg_branch.layers[-1].weight)
        nn.init.zeros_(self.reg_branch.layers[-1].bias)

    def forward(self, features: CropFeatures) -> tuple[Tensor, Tensor]:
        """Decode.

        Returns:
            tuple: logits (L, B, N) and boxes (L, B, N, 4), normalised cxcywh of the unpadded photo, of every
            decoder layer; both float32.
        """
        memory = features.memory
        anchors = self.query_embedding.weight.unsqueeze(0).expand(memory.tokens.size(0), -1, -1)
        states, reference = self.decoder(
            query=torch.zeros_like(anchors),
            key=memory.tokens,
            query_pos=anchors,
            key_pos=memory.pos,
            key_padding_mask=memory.mask,
        )
        logits = self.cls_branch(states).squeeze(-1).float()
        boxes = self.reg_branch(states).float()
        shift = inverse_sigmoid(reference.float(), eps=1e-5)
        boxes = torch.cat([boxes[..., :2] + shift, boxes[..., 2:]], dim=-1).sigmoid()
        return logits, boxes

    def loss(
        self,
        features: CropFeatures,
        data_samples: Sequence[CropDataSample],
        soft_targets: SoftTargets | None = None,
    ) -> dict[str, Tensor]:
        """Losses of all decoder layers: ``loss_cls``, ``loss_bbox``, ``loss_iou`` of the last, ``d<i>.…`` before.

        Reads ``gt_instances`` of each sample: ``bboxes`` (n, 4) xyxy in pixels of the resized photo
        (``img_shape``), ``scores`` (n,) and ``positives`` (n,) bool.

        With ``soft_targets`` (self-distillation of Jia et al.) ``loss_cls`` of every layer is the mean of two focal
        losses, weighted by their ``weight``: one with the labels, one with the teacher's scores for labels.
        """
        logits, boxes = self(features)
        return self.loss_by_feat(logits, boxes, data_samples, soft_targets)

    def loss_by_feat(
        self,
        logits: Tensor,
        boxes: Tensor,
        data_samples: Sequence[CropDataSample],
        soft_targets: SoftTargets | None = None,
    ) -> dict[str, Tensor]:
        """The same from decoded logits (L, B, N) and boxes (L, B, N, 4)."""
        num_positives = sum(int(s.gt_instances.positives.sum()) for s in data_samples)
        avg_factor = reduce_mean(logits.new_tensor([float(num_positives)])).clamp(min=1).item()
        losses: dict[str, Tensor] = {}
        last = len(logits) - 1
        for layer in range(len(logits)):
            prefix = "" if layer == last else f"d{layer}."
            terms = self._loss_of_layer(logits[layer], boxes[layer], data_samples, avg_factor, soft_targets)
            losses.update({prefix + name: value for name, value in terms.items()})
        return losses

    def _loss_of_layer(
        self,
        logits: Tensor,
        boxes: Tensor,
        data_samples: Sequence[CropDataSample],
        avg_factor: float,
        soft_targets: SoftTargets | None,
    ) -> dict[str, Tensor]:
        labels, pred, target = [], [], []
        for i, sample in enumerate(data_samples):
            label, queries, crops = self._targets_of_photo(logits[i].detach(), boxes[i].detach(), sample)
            labels.append(label)
            pred.append(boxes[i][queries])
            target.append(crops)
        pred, target = torch.cat(pred), torch.cat(target)
        loss_cls = self._loss_cls(logits, torch.stack(labels), avg_factor)
        if soft_targets is not None:
            soft = self._loss_cls(logits, soft_targets.scores, avg_factor)
            loss_cls = (1 - soft_targets.weight) * loss_cls + soft_targets.weight * soft
        return dict(
            loss_cls=loss_cls,
            loss_bbox=self.loss_bbox(pred, target, avg_factor=avg_factor),
            loss_iou=self.loss_iou(
                bbox_cxcywh_to_xyxy(pred), bbox_cxcywh_to_xyxy(target), avg_factor=avg_factor
            ),
        )

    def _loss_cls(self, logits: Tensor, labels: Tensor, avg_factor: float) -> Tensor:
        return self.loss_cls(logits.reshape(-1, 1), labels.reshape(-1, 1), avg_factor=avg_factor)

    def _targets_of_photo(
        self, logits: Tensor, boxes: Tensor, sample: CropDataSample
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Labels (N,), indices of the matched queries (P,), and their crops (P, 4) normalised cxcywh.

        Nothing can be matched to a query that is not finite: then every label is NaN, and every query has its own box
        for a target, which is NaN where the box is.
        """
        if not bool(_finite(logits, boxes).all()):
            return (
                torch.full_like(logits, float("nan")),
                torch.arange(len(logits), device=logits.device),
                boxes,
            )
        height, width = sample.img_shape[:2]
        factor = boxes.new_tensor([width, height, width, height])
        gt = sample.gt_instances
        pixels = bbox_cxcywh_to_xyxy(boxes) * factor
        crops = gt.bboxes.to(boxes)
        good = crops[gt.positives]
        match = self.assigner.assign(
            InstanceData(scores=logits.unsqueeze(-1), bboxes=pixels),
            InstanceData(bboxes=good, labels=good.new_zeros(len(good), dtype=torch.long)),
            dict(img_shape=(height, width)),
        ).gt_inds
        queries = torch.nonzero(match > 0).squeeze(1)
        if self.soft_label is None:
            label = logits.new_zeros(len(logits))
        else:
            label = self.soft_label(pixels, crops, gt.scores.to(boxes))
        crop = match[queries] - 1
        label[queries] = 1.0
        if self.matched_label is not None:
            label[queries] = self.matched_label(gt.scores.to(label)[gt.positives][crop])
        return label, queries, bbox_xyxy_to_cxcywh(good[crop] / factor)

    @torch.no_grad()
    def predict(self, features: CropFeatures, data_samples: Sequence[CropDataSample]) -> list[InstanceData]:
        """All N crops of each photo, best first; ties go by query. Boxes are clipped to the upright original
        photo, at least one pixel wide and high. A query without a finite score or box scores 0 with the whole
        photo as its box."""
        return self.predict_by_feat(*self(features), data_samples)

    def predict_by_feat(
        self, logits: Tensor, boxes: Tensor, data_samples: Sequence[CropDataSample]
    ) -> list[InstanceData]:
        """The same from decoded logits (L, B, N) and boxes (L, B, N, 4)."""
        scores, boxes = scored_boxes(logits[-1], boxes[-1])
        results = []
        for score, box, sample in zip(scores, boxes, data_samples, strict=True):
            score, order = score.sort(descending=True, stable=True)
            results.append(InstanceData(bboxes=to_pixels(box[order], sample.ori_shape), scores=score))
        return results

    @torch.no_grad()
    def predict_and_score(
        self, features: CropFeatures, data_samples: Sequence[CropDataSample]
    ) -> tuple[list[InstanceData], Callable[[Tensor], Tensor]]:
        """As every head; the scores are votes of the predictions that are returned, without gradients."""
        logits, predicted = self(features)
        found = self.predict_by_feat(logits, predicted, data_samples)
        return found, lambda boxes: self.score_by_feat(logits, predicted, boxes)

    def score_boxes(self, features: CropFeatures, boxes: Tensor) -> Tensor:
        """Score given boxes by a vote of the predictions: Σ_n s_n · IoU(b_n, box)^γ.

        A set predictor has no score for a box that it did not predict; this vote ranks given boxes by how much
        scored mass lies on them. It is no exact-grid score and must not be reported as one. It has gradients with
        respect to the scores and boxes of the predictions.

        Args:
            features (CropFeatures): As for :meth:`predict`.
            boxes (Tensor): (B, M, 4) normalised cxcywh of the unpadded photo.

        Returns:
            Tensor: (B, M) float, finite and at least 0; larger is better, comparable within one photo. A query without
            a finite score or box has no vote, and a given box that is not finite gets none.
        """
        return self.score_by_feat(*self(features), boxes)

    def score_by_feat(self, logits: Tensor, predicted: Tensor, boxes: Tensor) -> Tensor:
        """The same from decoded logits (L, B, N) and boxes (L, B, N, 4)."""
        return torch.einsum("bmn,bn->bm", *self.votes(logits[-1], predicted[-1], boxes))

    def votes(self, logits: Tensor, predicted: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Both factors of the votes of predictions on given boxes.

        Args:
            logits (Tensor): (B, N) of one decoder layer.
            predicted (Tensor): Its boxes (B, N, 4), normalised cxcywh.
            boxes (Tensor): (B, M, 4) as for :meth:`score_boxes`.

        Returns:
            tuple: IoU(b_n, box)^γ (B, M, N), and the scores s_n (B, N) in [0, 1].
        """
        scores, voters = scored_boxes(logits, predicted)
        return self.overlaps(boxes, voters), scores

    def overlaps(self, boxes: Tensor, voters: Tensor) -> Tensor:
        """IoU^γ (B, M, N) of given boxes (B, M, 4), normalised cxcywh, with predictions (B, N, 4), normalised xyxy."""
        iou = bbox_overlaps(bbox_cxcywh_to_xyxy(boxes.float()), voters).nan_to_num(nan=0.0)
        return iou.pow(self.vote_gamma)


def _finite(logits: Tensor, boxes: Tensor) -> Tensor:
    """Which queries have a finite logit (..., N) and box (..., N, 4): bool (..., N)."""
    return logits.isfinite() & boxes.isfinite().all(-1)


def scored_boxes(logits: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Scores (B, N) in [0, 1] and boxes (B, N, 4) xyxy of one layer; what is not finite scores 0 on the whole photo."""
    finite = _finite(logits, boxes)
    scores = torch.where(finite, logits.sigmoid(), torch.zeros_like(logits))
    boxes = torch.where(finite.unsqueeze(-1), boxes, boxes.new_tensor([0.5, 0.5, 1.0, 1.0]))
    return scores, bbox_cxcywh_to_xyxy(boxes)


def _default_assigner() -> dict:
    return dict(
        type="HungarianAssigner",
        match_costs=[
            dict(type="FocalLossCost", weight=2.0),
            dict(type="BBoxL1Cost", weight=5.0, box_format="xywh"),
            dict(type="IoUCost", iou_mode="giou", weight=2.0),
        ],
    )

"""Small models and samples for the tests of the models room."""

import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData

from procrop.registry import MODELS
from procrop.structures import CropDataSample


def build(cfg: dict):
    """Build a component in ProCrop's scope, whatever scope another test left behind."""
    with DefaultScope.overwrite_default_scope("procrop"):
        return MODELS.build(cfg)


def layer(d: int, ffn: int, **attention) -> dict:
    return dict(ffn_cfg=dict(embed_dims=d, feedforward_channels=ffn, ffn_drop=0.0), **attention)


def head_cfg(d: int = 32, num_queries: int = 5, layers: int = 2, **kwargs) -> dict:
    return dict(
        type="CropDETRHead",
        num_queries=num_queries,
        embed_dims=d,
        decoder=dict(
            num_layers=layers,
            return_intermediate=True,
            layer_cfg=layer(
                d,
                2 * d,
                self_attn_cfg=dict(embed_dims=d, num_heads=4, attn_drop=0.0, cross_attn=False),
                cross_attn_cfg=dict(embed_dims=d, num_heads=4, attn_drop=0.0, cross_attn=True),
            ),
        ),
        **kwargs,
    )


def procrop_cfg(
    d: int = 32,
    channels: int = 8,
    grid: tuple = (2, 3),
    references: bool = True,
    text: bool = False,
    **kwargs,
) -> dict:
    """A ProCrop on an untrained EfficientNet-lite, small enough for a test."""
    encoders = {}
    if references:
        encoders["references"] = dict(
            type="ReferenceEncoder", in_channels=channels, embed_dims=d, token_grid=grid
        )
    if text:
        encoders["text_tokens"] = dict(type="TextContextEncoder", in_channels=channels, embed_dims=d)
    cfg = dict(
        type="ProCrop",
        data_preprocessor=dict(type="DetDataPreprocessor", mean=[127.0] * 3, std=[128.0] * 3),
        backbone=dict(type="EfficientNetLiteBackbone", out_strides=(16,), pretrained=False, frozen=True),
        neck=dict(
            type="ChannelMapper",
            in_channels=[112],
            kernel_size=1,
            out_channels=d,
            act_cfg=None,
            norm_cfg=None,
            bias=True,
            num_outs=1,
        ),
        positional_encoding=dict(num_feats=d // 2, normalize=True),
        encoder=dict(
            num_layers=1,
            layer_cfg=layer(
                d, 2 * d, self_attn_cfg=dict(embed_dims=d, num_heads=4, dropout=0.0, batch_first=True)
            ),
        ),
        bbox_head=head_cfg(d),
    )
    if encoders:
        cfg["context_encoders"] = encoders
        cfg["fusion"] = dict(
            type="FusionNeck", embed_dims=d, contexts=tuple(encoders), num_heads=4, dropout=0.0
        )
    return Config(dict(model=cfg | kwargs)).model


def grid_cfg(d: int = 32, memory: bool = True, references: bool = True, text: bool = False, **kwargs) -> dict:
    """A ProCrop without encoder whose head scores given crops, with or without memory, references and text."""
    head = dict(type="GridAnchorHead", embed_dims=d, reduced_channels=4, pool_size=5, hidden_channels=48)
    if memory:
        head["memory_attention"] = dict(num_heads=4)
    return procrop_cfg(d, references=references, text=text, encoder=None, bbox_head=head | kwargs)


def references(k: int, m: int = 6, channels: int = 8, seed: int = 0, crops: int = 0) -> InstanceData:
    g = torch.Generator().manual_seed(seed)
    data = InstanceData(
        ids=torch.arange(k),
        scores=torch.rand(k, generator=g),
        tokens=torch.randn(k, m, channels, generator=g).half(),
        mask=torch.zeros(k, dtype=torch.bool),
    )
    if crops:
        data.crops = torch.rand(k, crops, 4, generator=g)
        data.crop_scores = torch.rand(k, crops, generator=g)
        data.crop_mask = torch.zeros(k, crops, dtype=torch.bool)
    return data


def text_tokens(m: int, channels: int = 8, seed: int = 0) -> torch.Tensor:
    """Image-text tokens (m', d_t) of one caption."""
    return torch.randn(m, channels, generator=torch.Generator().manual_seed(seed)).half()


def sample(
    refs: InstanceData | None = None, shape=(64, 96), ori=(128, 192), crops=None, text=None
) -> CropDataSample:
    """A sample with two annotated crops, of which the first is positive."""
    out = CropDataSample(metainfo=dict(img_shape=shape, ori_shape=ori, batch_input_shape=shape, img_id="0"))
    crops = [[8.0, 8.0, 80.0, 56.0], [0.0, 0.0, 40.0, 40.0]] if crops is None else crops
    out.gt_instances = InstanceData(
        bboxes=torch.tensor(crops).view(-1, 4),
        scores=torch.tensor([4.5, 2.8][: len(crops)]),
        positives=torch.tensor([True, False][: len(crops)], dtype=torch.bool),
    )
    if refs is not None:
        out.references = refs
    if text is not None:
        out.text_tokens = text
    return out


def photos(n: int, shape=(64, 96), seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, *shape, generator=torch.Generator().manual_seed(seed))

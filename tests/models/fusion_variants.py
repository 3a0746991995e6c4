"""Every way to fuse references into a photo and to build Π that a config can ask for, small."""

import torch
from builders import build, procrop_cfg

# name: (type and options of the neck, options of ReferenceEncoder, options of ProCrop)
VARIANTS = {
    "both": ({}, {}, {}),
    "concat_only": (dict(terms=("context",)), {}, {}),
    "cross_attention_only": (dict(terms=("attended",)), {}, {}),
    "photo_grid": (dict(context_grid="photo"), {}, {}),
    "channel_axis": (dict(type="ChannelFusionNeck"), {}, {}),
    "channel_concat": (dict(type="ChannelFusionNeck", terms=("context",)), {}, {}),
    "channel_attended": (dict(type="ChannelFusionNeck", terms=("attended",)), {}, {}),
    "before_encoder": ({}, {}, dict(fuse_before_encoder=True)),
    "channel_before": (dict(type="ChannelFusionNeck"), {}, dict(fuse_before_encoder=True)),
    "mlp": ({}, dict(projection="mlp"), {}),
    "pooled_grid": ({}, dict(pooled_grid=(1, 2)), {}),
    "learned_queries": ({}, dict(num_latents=4, num_heads=4), {}),
    "no_positions": ({}, dict(positions=False), {}),
    "no_similarity": ({}, dict(similarity=False), {}),
}


def variant(name, perturb=True, references=None, make=procrop_cfg, **cropper):
    """A ProCrop of width 32 that takes feature maps (B, 32, h, w) for photos (stride 16), in evaluation mode.

    In float64, so that what ought to be equal differs by nothing that random weights could make larger.

    Args:
        perturb: Move all weights off their start: zero embeddings and zero last layers would make much of what is
            tested trivially true.
        references: Further options of the ReferenceEncoder; False: a model without one.
        make: Builder of the config that the variant changes.
        **cropper: Further options of that builder.
    """
    torch.manual_seed(0)
    neck, encoder, options = VARIANTS[name]
    cfg = make(**options, references=references is not False, **cropper)
    cfg.fusion.update(neck)
    if references is not False:
        cfg.context_encoders.references.update(encoder | (references or {}))
    model = build(cfg)
    if perturb:
        for p in model.parameters():
            if p.requires_grad:
                p.data += torch.randn_like(p) * (0.3 if p.dim() > 1 else 0.1)
    return without_backbone(model).eval().double()


def without_backbone(model):
    """Let the model take feature maps for photos: what is tested lies behind the backbone."""
    model.backbone = model.neck = torch.nn.Identity()
    model.extract_feat = lambda maps: maps
    return model


def feature_maps(n, grid=(4, 6), seed=0):
    return torch.randn(n, 32, *grid, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

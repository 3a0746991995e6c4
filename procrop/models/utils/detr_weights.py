"""Start a cropper from Conditional DETR weights trained on COCO, as Jia et al. do.

Two key layouts are known: the public Conditional DETR repository's and mmdet's. Both are renamed to ProCrop's; the
classifier of object classes has no meaning for crops and is always left out.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor, nn

# (pattern, replacement) from the public repository's keys
_OFFICIAL = [
    (r"^backbone\.0\.body\.", "backbone."),
    (r"^input_proj\.", "neck.convs.0.conv."),
    (r"^query_embed\.", "bbox_head.query_embedding."),
    (r"^bbox_embed\.", "bbox_head.reg_branch."),
    (r"^transformer\.encoder\.", "encoder."),
    (r"^transformer\.decoder\.norm\.", "bbox_head.decoder.post_norm."),
    (r"^transformer\.decoder\.", "bbox_head.decoder."),
    (r"^(encoder\.layers\.\d+)\.self_attn\.", r"\1.self_attn.attn."),
    (r"\.sa_(qcontent|qpos|kcontent|kpos|v)_proj\.", r".self_attn.\1_proj."),
    (r"\.ca_(qcontent|qpos|kcontent|kpos|v|qpos_sine)_proj\.", r".cross_attn.\1_proj."),
    (r"\.linear1\.", ".ffn.layers.0.0."),
    (r"\.linear2\.", ".ffn.layers.1."),
]
# from mmdet's keys
_MMDET = [
    (r"^query_embedding\.", "bbox_head.query_embedding."),
    (r"^bbox_head\.reg_ffn\.layers\.0\.0\.", "bbox_head.reg_branch.layers.0."),
    (r"^bbox_head\.reg_ffn\.layers\.1\.", "bbox_head.reg_branch.layers.1."),
    (r"^bbox_head\.fc_reg\.", "bbox_head.reg_branch.layers.2."),
    (r"^decoder\.", "bbox_head.decoder."),
]
_CLASSIFIER = re.compile(r"^(class_embed|bbox_head\.fc_cls)\.")


@dataclass
class LoadReport:
    """What became of every tensor.

    Attributes:
        loaded: Model keys that were filled.
        dropped: Keys of the file that are left out on purpose (object classes).
        reshaped: Model keys whose tensor in the file has another shape, e.g. another number of queries.
        unexpected: Renamed keys of the file that the model does not have.
        missing: Model keys that the file does not fill (the crop classifier, Π and the fusion neck belong here).
    """

    loaded: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    reshaped: list[str] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        lines = [f"Conditional DETR weights: {len(self.loaded)} tensors loaded"]
        for name in ("dropped", "reshaped", "unexpected", "missing"):
            keys = getattr(self, name)
            if keys:
                lines.append(f"  {name}: {len(keys)} ({', '.join(_summary(keys))})")
        return "\n".join(lines)


def to_procrop_keys(state: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], list[str]]:
    """Rename the keys of a Conditional DETR state dict, of either layout.

    Args:
        state: Tensors by key; a leading ``module.`` (data parallel) is taken off.

    Returns:
        The renamed tensors, and the keys that are dropped on purpose.
    """
    state = {key.removeprefix("module."): value for key, value in state.items()}
    official = any(key.startswith("transformer.") for key in state)
    dropped = [key for key in state if _CLASSIFIER.match(key)]
    renamed = {}
    for key, value in state.items():
        if _CLASSIFIER.match(key):
            continue
        for pattern, replacement in _OFFICIAL if official else _MMDET:
            key = re.sub(pattern, replacement, key)
        if official:
            key = _official_norm(key)
        renamed[key] = value
    return renamed, dropped


def load_detr_weights(model: nn.Module, checkpoint: Mapping) -> LoadReport:
    """Fill a ProCrop model with what fits from a Conditional DETR checkpoint.

    Args:
        model: A ProCrop with a CropDETRHead, not wrapped.
        checkpoint: What the file holds: tensors by key, alone or under ``model`` or ``state_dict``.

    Returns:
        LoadReport: What was and was not loaded.

    Raises:
        ValueError: Nothing of the checkpoint fits the model.
    """
    state = checkpoint.get("model", checkpoint.get("state_dict", checkpoint))
    renamed, dropped = to_procrop_keys(state)
    target = model.state_dict()
    report = LoadReport(dropped=dropped)
    fitting = {}
    for key, value in renamed.items():
        if key not in target:
            report.unexpected.append(key)
        elif target[key].shape != value.shape:
            report.reshaped.append(key)
        else:
            fitting[key] = value
    if not any(key.startswith("encoder.") for key in fitting):
        raise ValueError(
            f"no encoder weight of this checkpoint fits the model ({len(renamed)} tensors, "
            f"{len(report.reshaped)} of another shape): is it a Conditional DETR of the same width and depth?"
        )
    model.load_state_dict(fitting, strict=False)
    report.loaded = sorted(fitting)
    report.missing = sorted(
        key for key in target if key not in fitting and not key.endswith("num_batches_tracked")
    )
    return report


def _official_norm(key: str) -> str:
    """norm1, norm2, norm3 of a layer are norms.0, .1, .2 here."""
    return re.sub(
        r"((?:encoder|decoder)\.layers\.\d+)\.norm(\d)\.", lambda m: f"{m[1]}.norms.{int(m[2]) - 1}.", key
    )


def _summary(keys: list[str]) -> list[str]:
    """The parts that keys belong to, in a few words."""
    parts = list(dict.fromkeys(".".join(key.split(".")[:2]) for key in keys))
    return parts if len(parts) <= 6 else [*parts[:6], "…"]

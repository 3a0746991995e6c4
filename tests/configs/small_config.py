"""Configs made small enough for a test, and pointed at data that are there."""

from collections.abc import Iterator

from mmengine.config import Config

SHORT, LONG = 96, 128
_LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")


def without_downloads(cfg: Config) -> None:
    """No weight file is read: parts begin untrained."""
    for part in _dicts(cfg.get("model") or {}):
        if str((part.get("init_cfg") or {}).get("type")) == "Pretrained":
            part.init_cfg = None
        if part.get("type") == "SAMBackbone":
            part.checkpoint = None


def shrink(cfg: Config) -> None:
    """The same parts with fewer layers, queries, hidden channels and pixels; the widths that parts agree on stay."""
    for part in _dicts(cfg.get("model") or {}):
        if "num_layers" in part:
            part.num_layers = min(part.num_layers, 2)
        if "feedforward_channels" in part:
            part.feedforward_channels = 32
        if "num_queries" in part:
            part.num_queries = min(part.num_queries, 8)
        if part.get("type") == "SAMBackbone":
            part.arch = dict(depth=2, embed_dim=64, num_heads=4, global_attn_indexes=(1,), image_size=LONG)
    divisor = ((cfg.get("model") or {}).get("data_preprocessor") or {}).get("pad_size_divisor", 1)
    if divisor > LONG:
        cfg.model.data_preprocessor.pad_size_divisor = LONG
    for name in _LOADERS:
        for step in _dicts(cfg.get(name) or {}):
            if "scale" in step:
                step.scale = (LONG, SHORT)
            if "scales" in step:
                step.scales = [(LONG, SHORT), (LONG, 64)]


def point_at(cfg: Config, data) -> None:
    """Have every dataset read generated files of its own format, and every reference the generated gallery."""
    for name in _LOADERS:
        dataset = (cfg.get(name) or {}).get("dataset")
        if not dataset:
            continue
        dataset.data_root = str(data.folder(dataset))
        if dataset.get("references"):
            dataset.references.gallery = str(data.gallery)
            dataset.references.table = str(data.table(dataset))


def _dicts(value) -> Iterator[dict]:
    if isinstance(value, list | tuple):
        for item in value:
            yield from _dicts(item)
    elif isinstance(value, dict):
        yield value
        for item in list(value.values()):
            yield from _dicts(item)

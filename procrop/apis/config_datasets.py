"""What tools read out of a config: its datasets, the steps that load what is precomputed, and the photos."""

from collections.abc import Iterator
from typing import Any

LOADERS = ("train_dataloader", "val_dataloader", "test_dataloader")
# keys of CropDataset that open files which may not be there yet
_CONTEXTS = ("references", "text")


def read_config(path: str, options: list[str]) -> dict:
    """The merged config as plain dicts, every key of which is checked; imports what its ``custom_imports`` names.

    Raises:
        ValueError: There is no such file, or a key, a type or an option is unknown.
    """
    from procrop.engine import launch

    cfg = launch.read_config(path, None)
    launch.finish_config(cfg, options)
    return cfg.to_dict()


def leaf_datasets(cfg: Any) -> Iterator[dict]:  # noqa: ANN401 (any config value)
    """Datasets that read photos, out of wrappers such as ConcatDataset and RepeatDataset."""
    if isinstance(cfg, list | tuple):
        for part in cfg:
            yield from leaf_datasets(part)
    elif isinstance(cfg, dict):
        inner = [cfg[key] for key in ("dataset", "datasets") if key in cfg]
        if inner:
            yield from leaf_datasets(inner)
        else:
            yield cfg


def loading_steps(cfg: dict, kind: str) -> Iterator[tuple[str, dict, dict]]:
    """Every step of a type in the datasets of a config.

    Args:
        cfg: The config.
        kind: Name of the step's class, e.g. "LoadReferences".

    Yields:
        Key of the dataloader, config of the dataset, config of the step.
    """
    for loader in LOADERS:
        for leaf in leaf_datasets((cfg.get(loader) or {}).get("dataset")):
            for step in _steps(leaf, kind):
                yield loader, leaf, step


def _steps(cfg: Any, kind: str) -> Iterator[dict]:  # noqa: ANN401 (any config value)
    if isinstance(cfg, list | tuple):
        for part in cfg:
            yield from _steps(part, kind)
    elif isinstance(cfg, dict):
        if str(cfg.get("type", "")).rpartition(".")[2] == kind:
            yield cfg
            return
        for part in cfg.values():
            yield from _steps(part, kind)


def list_photos(datasets: list[dict]) -> list[tuple[str, str, str]]:
    """(img_id, source_id, img_path) of every photo of the datasets."""
    from procrop.registry import DATASETS

    photos = []
    for cfg in datasets:
        bare = {key: value for key, value in cfg.items() if key not in _CONTEXTS}
        # read once, by this process: packing the records for workers would take longer than reading them
        dataset = DATASETS.build({**bare, "pipeline": [], "serialize_data": False})
        for i in range(len(dataset)):
            record = dataset.get_data_info(i)
            photos.append((record["img_id"], record["source_id"], record["img_path"]))
    return photos

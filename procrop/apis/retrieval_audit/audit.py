"""The whole audit: conditions, predictions, figures, report."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope
from torch import nn

from procrop.engine.checkpoint import load_checkpoint_file, load_weights
from procrop.engine.config_text import checkpoint_config
from procrop.engine.context_shapes import fill_context_shapes
from procrop.engine.launch import UsageError
from procrop.engine.trained_with import check_text, texts
from procrop.engine.transfer import with_test_part
from procrop.inference.live_references import open_gallery
from procrop.io import sha256_file, sha256_json
from procrop.io.manifest import MANIFEST_NAME
from procrop.registry import DATASETS, MODELS

from .comparison import compare_conditions
from .conditions import Condition, make_conditions
from .figures import build_protocols, choose_keys, photo_figures, same_crop
from .folder import AuditFolder
from .predict import ANNOTATIONS, predict, predictions_file
from .report import write_report
from .verdict import verdict


@dataclass
class AuditSettings:
    """What to audit and how.

    Attributes:
        out: Folder to write to; one that holds part of the same audit is continued.
        split: "test" or "val", whose dataset and evaluator of the config are taken.
        also: Checkpoint of a model trained without references, to be tested on the same photos.
        metrics: Keys of figures; the first one decides the verdict. By default the usual ones.
        seeds: A shuffle and a random draw for each; a photo counts with its mean over them.
        limit: So many photos, evenly spread; None takes all.
        true_similarity: See `make_conditions`.
        device: Torch device.
    """

    out: str | os.PathLike
    split: str = "test"
    also: str | None = None
    metrics: Sequence[str] = ()
    seeds: Sequence[int] = (0, 1, 2)
    limit: int | None = None
    true_similarity: bool = False
    device: str = "cpu"


def audit_retrieval(cfg: Config, checkpoint: str, settings: AuditSettings) -> str:
    """Run an audit, or what is missing of it.

    Args:
        cfg: A config that was checked; its references and dataset are taken.
        checkpoint: The model's file.
        settings: What to do.

    Returns:
        The report for a terminal; the verdict is its last line. See `write_report` for the files.

    Raises:
        ValueError: The model takes no references, or what is needed is missing or does not fit.
    """
    if len(set(settings.seeds)) != len(settings.seeds) or not settings.seeds or min(settings.seeds) < 0:
        raise UsageError(f"seeds must be different whole numbers from 0 up, not {list(settings.seeds)}")
    dataset_cfg, references = _dataset_and_references(cfg, settings.split)
    evaluator = cfg.get(f"{settings.split}_evaluator")
    protocols = build_protocols(evaluator)
    folder = AuditFolder(settings.out)
    loaded = load_checkpoint_file(checkpoint)
    trained = (loaded.get("meta") or {}).get("procrop") or {}
    gallery = open_gallery(references["gallery"], trained.get("retrieval"), checkpoint)
    fill_context_shapes(cfg)
    model = _model(cfg.model, loaded, checkpoint, settings.device)
    if getattr(model, "context_encoders", True) is not True and not len(model.context_encoders):
        raise UsageError(f"{checkpoint}: a model without references; there is nothing to audit")
    dataset = _build_dataset(dataset_cfg)
    for present in texts(dataset) if trained.get("text") else ():
        check_text(trained["text"], present)
    rows = _rows(len(dataset), settings.limit)
    folder.claim("settings.json", _settings(cfg, checkpoint, references, gallery, settings, len(rows)))
    photos = [dataset.get_data_info(row) for row in rows]
    conditions = make_conditions(
        references, photos, gallery, folder.path / "tables", settings.seeds, settings.true_similarity
    )
    predict(model, dataset, rows, conditions, folder)
    if settings.also:
        twin = _predict_twin(settings, dataset_cfg, evaluator, rows, folder)
        conditions.append(twin)
    return _report(folder, protocols, conditions, settings)


def _dataset_and_references(cfg: Config, split: str) -> tuple[dict, dict]:
    """The dataset without its references, and these."""
    dataset = (cfg.get(f"{split}_dataloader") or {}).get("dataset")
    if dataset is None:
        raise UsageError(f"the config has no {split}_dataloader: nothing to test on")
    dataset = Config({"dataset": dataset}).to_dict()["dataset"]
    if "dataset" in dataset or "datasets" in dataset:
        raise UsageError(f"{split}_dataloader: a wrapper of datasets; the audit takes one dataset at a time")
    references = dataset.pop("references", None)
    if not references or not references.get("gallery"):
        raise UsageError(
            f"{split}_dataloader: its dataset has no references (gallery and table), so there is no retrieval to audit"
        )
    dataset["test_mode"] = True
    return dataset, references


def _build_dataset(cfg: Mapping[str, Any]) -> Any:
    with DefaultScope.overwrite_default_scope("procrop"):
        return DATASETS.build(dict(cfg))


def _rows(number: int, limit: int | None) -> list[int]:
    if limit is not None and limit < 2:
        raise UsageError(f"--limit {limit}: at least two photos are needed to exchange references")
    if limit is None or limit >= number:
        return list(range(number))
    return [int(row) for row in np.linspace(0, number - 1, limit).round()]


def _model(cfg: Mapping[str, Any], loaded: Mapping[str, Any], name: str, device: str) -> nn.Module:
    with DefaultScope.overwrite_default_scope("procrop"):
        model = MODELS.build(cfg)
    load_weights(model, loaded, strict=True, name=name)
    return model.to(torch.device(device)).eval()


def _settings(
    cfg: Config, checkpoint: str, references: Mapping, gallery: Any, settings: AuditSettings, photos: int
) -> dict[str, Any]:
    """What predictions depend on, seeds aside: each seed's lie in files of their own."""
    text = (cfg[f"{settings.split}_dataloader"].dataset.get("text") or {}).get("folder")
    return {
        **({"text": sha256_file(Path(text, MANIFEST_NAME))} if text else {}),
        "checkpoint": sha256_file(checkpoint),
        "model": sha256_json(Config({"model": cfg.model}).to_dict()),
        "dataset": sha256_json(Config(cfg[f"{settings.split}_dataloader"]).to_dict()["dataset"]),
        "gallery": gallery.content_sha256,
        "neighbour table": sha256_file(references["table"]),
        "split": settings.split,
        "photos": photos,
        "true_similarity": settings.true_similarity,
    }


def _predict_twin(
    settings: AuditSettings,
    dataset: Mapping[str, Any],
    evaluator: Any,
    rows: Sequence[int],
    folder: AuditFolder,
) -> Condition:
    """Predictions of the model trained without references, with its own pipeline on the same photos."""
    loaded = load_checkpoint_file(settings.also)
    trained = checkpoint_config(loaded, settings.also)
    if trained.model.get("context_encoders"):
        raise UsageError(f"--also {settings.also}: this model takes references itself; name one without")
    folder.claim("twin.json", {"checkpoint of --also": sha256_file(settings.also)})
    photos = {key: value for key, value in dataset.items() if key != "pipeline"}
    part = Config(dict(test_dataloader=dict(dataset=photos), test_evaluator=evaluator))
    own = with_test_part(trained, part).to_dict()["test_dataloader"]["dataset"]
    twin = Condition("twin", "twin")
    model = _model(trained.model, loaded, settings.also, settings.device)
    predict(model, _build_dataset({**own, "references": None}), rows, [twin], folder)
    return twin


def _report(
    folder: AuditFolder,
    protocols: Mapping[str, Any],
    conditions: Sequence[Condition],
    settings: AuditSettings,
) -> str:
    annotations = folder.lines(ANNOTATIONS)
    predictions = {c.name: folder.lines(predictions_file(c)) for c in conditions}
    figures = {c.name: photo_figures(protocols, annotations, predictions[c.name]) for c in conditions}
    known = list(figures["retrieved"])
    if not known:
        raise ValueError(
            f"none of the {len(annotations)} photos has a valid annotated crop: nothing to score"
        )
    by_kind: dict[str, list[str]] = {}
    for condition in conditions:
        by_kind.setdefault(condition.kind, []).append(condition.name)
    missing = np.full(len(annotations), np.nan)
    sources = [line["source_id"] for line in annotations.values()]
    comparisons = [
        compare_conditions(
            key,
            {kind: [figures[name].get(key, missing) for name in names] for kind, names in by_kind.items()},
            sources,
        )
        for key in choose_keys(settings.metrics, known)
    ]
    same = {
        kind: float(np.mean([same_crop(predictions[name], predictions["retrieved"]) for name in names]))
        for kind, names in by_kind.items()
    }
    sentence = verdict(comparisons[0])
    return write_report(folder.path, comparisons, same, len(settings.seeds), sentence)

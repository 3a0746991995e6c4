"""Other test data for a trained model: a config that says only what is tested, laid over the checkpoint's."""

import copy
from typing import Any

from mmengine.config import Config, ConfigDict

# what a config of test data may say; all else is the checkpoint's
_TAKEN = ("test_dataloader", "test_evaluator", "test_cfg", "work_dir")
_REFERENCES_OF_THE_MODEL = ("k", "what")


def is_overlay(cfg: Config) -> bool:
    """Whether a config names test data and no model."""
    return cfg.get("model") is None and cfg.get("test_dataloader") is not None


def lay_over(cfg: Config, trained: Config) -> Config:
    """Join a config of test data with the config of a checkpoint.

    From ``cfg`` come the test data, their gallery and neighbour table, and the metrics; from ``trained`` everything
    else: the model, the pipeline unless ``cfg`` has one, how many references it sees and what of them. A model without
    references gets none. A model that scores given boxes is handed the annotated ones only if GridAccuracy, which is
    about those, is measured; otherwise it chooses from its own grid.

    Args:
        cfg: For which :func:`is_overlay` holds.
        trained: The merged config of a checkpoint.

    Raises:
        ValueError: The checkpoint's config has no test data to take the pipeline from.
    """
    theirs = trained.get("test_dataloader") or {}
    theirs = theirs.get("dataset") or {}
    own = copy.deepcopy({key: cfg[key] for key in _TAKEN if key in cfg})
    dataset = own["test_dataloader"]["dataset"]
    if "pipeline" not in dataset:
        if not theirs.get("pipeline"):
            raise ValueError(
                f"{cfg.filename}: names no pipeline, and the checkpoint's config has no test_dataloader to take one "
                "from; add test_dataloader.dataset.pipeline"
            )
        dataset["pipeline"] = _pipeline(theirs["pipeline"], own.get("test_evaluator"))
    if "references" in dataset:
        dataset["references"] = _references(dataset["references"], theirs.get("references"), trained.model)
    merged = Config(copy.deepcopy(trained.to_dict()), filename=cfg.filename)
    for key, value in own.items():
        merged[key] = value
    return merged


def _pipeline(steps: list[dict], evaluators: Any) -> list[dict]:  # noqa: ANN401 (a config value)
    evaluators = evaluators if isinstance(evaluators, list | tuple) else [evaluators]
    keeps = any(e and str(e.get("type")).rpartition(".")[2] == "GridAccuracy" for e in evaluators)
    steps = copy.deepcopy(list(steps))
    for step in steps:
        if not keeps:
            step.pop("candidates", None)
    return steps


def _references(wanted: dict | None, theirs: dict | None, model: ConfigDict) -> dict | None:
    """The references to test with: gallery and table as wanted, k and ``what`` as in training."""
    if not wanted or not theirs or "references" not in (model.get("context_encoders") or {}):
        return None
    return {**wanted, **{key: theirs[key] for key in _REFERENCES_OF_THE_MODEL if key in theirs}}

"""A trained model's config with another test set: that of a config which names no model (configs/transfer)."""

import copy
from typing import Any

from mmengine.config import Config

# what of the references the model was trained for, wherever they come from
_OF_MODEL = ("k", "what")
_PART = ("test_dataloader", "test_evaluator", "test_cfg", "work_dir")
_SCORES_GIVEN_CROPS = "GridAccuracy"


def is_test_part(cfg: Config) -> bool:
    """Whether a config says what to test on, but not with which model."""
    return cfg.get("model") is None and cfg.get("test_dataloader") is not None


def with_test_part(trained: Config, part: Config) -> Config:
    """Put the test set of one config into another.

    Dataset, gallery, table, text folder and evaluators are the part's. The pipeline is that of the trained model's own
    test, since the model needs photos of that size, as are ``k`` and ``what`` of the references; a model without
    references gets none, and one without text no text. Annotated crops are given to the model only where an evaluator
    asks how it ranks them: anywhere else they would be the answer.

    Args:
        trained: The merged config of a checkpoint; it is not changed.
        part: A config with ``test_dataloader`` and ``test_evaluator``; it is not changed.

    Returns:
        The merged config.

    Raises:
        ValueError: The trained model's config has no test set whose pipeline could be used.
    """
    own = (trained.get("test_dataloader") or {}).get("dataset") or {}
    if not own.get("pipeline"):
        raise ValueError(
            "the checkpoint's config has no test_dataloader with a pipeline to load the photos with; "
            "give a whole config instead of one that only names a test set"
        )
    cfg = copy.deepcopy(trained)
    for key in _PART:
        if key in part:
            cfg[key] = copy.deepcopy(part[key])
    dataset = cfg.test_dataloader.dataset
    if not dataset.get("pipeline"):
        dataset.pipeline = copy.deepcopy(own.pipeline)
    dataset.references = _references(own.get("references"), dataset.get("references"))
    dataset.text = _text(own.get("text"), dataset.get("text"))
    if not any(_type(evaluator) == _SCORES_GIVEN_CROPS for evaluator in _as_list(cfg.get("test_evaluator"))):
        for step in dataset.pipeline:
            if step.get("candidates") == "annotated":
                step.candidates = None
    return cfg


def _references(own: dict | None, given: dict | None) -> dict | None:
    """The part's references, as the model takes them."""
    if not own or own.get("gallery", "") is None:
        return None
    kept = {key: own[key] for key in _OF_MODEL if key in own}
    return {**copy.deepcopy(given or own), **kept}


def _text(own: dict | None, given: dict | None) -> dict | None:
    """The part's text, or the model's own, which says what it lacks; None for a model without text."""
    if not own or own.get("folder", "") is None:
        return None
    return copy.deepcopy(given or own)


def _type(component: dict) -> str:
    return str(component.get("type")).rpartition(".")[2]


def _as_list(value: Any) -> list:  # noqa: ANN401 (an evaluator, or several)
    return list(value) if isinstance(value, list | tuple) else [value or {}]

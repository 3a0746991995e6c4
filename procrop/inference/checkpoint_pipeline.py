"""What a checkpoint's config says about testing, taken apart for photos that lie in no dataset."""

from dataclasses import dataclass
from typing import Any

from mmengine.config import Config


@dataclass
class CheckpointPipeline:
    """The test pipeline of a config, without what only an annotated dataset has.

    Attributes:
        steps: configs of the steps that every photo takes, in order.
        references: settings of LoadReferences; None where it is off.
        text: settings of LoadTextTokens; None where it is off.
    """

    steps: list[dict[str, Any]]
    references: dict[str, Any] | None
    text: dict[str, Any] | None


def split_pipeline(cfg: Config, checkpoint: str) -> CheckpointPipeline:
    """Take the test pipeline of a config apart.

    Args:
        cfg: the merged config.
        checkpoint: the file it came from, for messages.

    Raises:
        ValueError: the config has no test pipeline.
    """
    dataset = cfg.get("test_dataloader", {}).get("dataset", {})
    while "pipeline" not in dataset:  # a wrapper around the dataset proper
        inner = dataset.get("dataset") or next(iter(dataset.get("datasets") or []), None)
        if inner is None:
            raise ValueError(
                f"{checkpoint}: its config has no test pipeline (test_dataloader.dataset.pipeline); train with one"
            )
        dataset = inner
    contexts = {"LoadReferences": dataset.get("references"), "LoadTextTokens": dataset.get("text")}
    steps = []
    for step in dataset["pipeline"]:
        kind = step["type"].rsplit(".", 1)[-1]
        if kind in contexts:
            contexts[kind] = step
        elif kind != "LoadCropAnnotations":
            steps.append(step)
    # the steps themselves are off without a place to read from
    references = _on(contexts["LoadReferences"], "gallery")
    return CheckpointPipeline(steps, references, _on(contexts["LoadTextTokens"], "folder"))


def _on(settings: dict[str, Any] | None, place: str) -> dict[str, Any] | None:
    return None if settings is None or settings.get(place) is None else settings

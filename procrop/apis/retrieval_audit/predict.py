"""One model on the same photos with each kind of references."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from procrop.engine.prediction_dump import prediction_line
from procrop.io import progress
from procrop.structures import CropDataSample

from .conditions import Condition
from .folder import AuditFolder

ANNOTATIONS = "annotations.jsonl"


def predictions_file(condition: Condition) -> str:
    """Where the predictions of a condition lie in the folder."""
    return f"predictions/{condition.name}.jsonl"


@torch.no_grad()
def predict(
    model: nn.Module,
    dataset: Any,
    rows: Sequence[int],
    conditions: Sequence[Condition],
    folder: AuditFolder,
) -> None:
    """Write the predictions of every condition, and the annotated crops once; what is there is not done again.

    A photo is loaded once and, since the image backbone knows nothing of references, goes through it once.

    Args:
        model: In eval mode, on its device.
        dataset: Test samples without references; a row gives ``inputs`` and a CropDataSample.
        rows: The photos to take.
        conditions: References to try; their predictions go to `predictions_file`.
        folder: Where to.
    """
    names = {condition: predictions_file(condition) for condition in conditions}
    files = [ANNOTATIONS, *names.values()]
    ids = [str(dataset.get_data_info(row)["img_id"]) for row in rows]
    present = {file: set(folder.lines(file)) for file in files}
    todo = [(row, i) for row, i in zip(rows, ids, strict=True) if any(i not in present[f] for f in files)]
    try:
        for row, img_id in progress(todo, total=len(ids), initial=len(ids) - len(todo), desc="predicting"):
            data = _prepared(model, dataset[row])
            if img_id not in present[ANNOTATIONS]:
                folder.append(ANNOTATIONS, _annotation_line(data["data_samples"][0]))
            with image_features_kept(model):
                for condition, file in names.items():
                    if img_id not in present[file]:
                        folder.append(file, _predicted(model, data, condition.references(img_id)))
        for file in files:
            if not folder.is_finished(file):
                folder.finish(file, ids)
    finally:
        folder.close()


def _prepared(model: nn.Module, item: Mapping[str, Any]) -> dict[str, Any]:
    """One sample as a batch that the model takes."""
    batch = {"inputs": [item["inputs"]], "data_samples": [item["data_samples"]]}
    return model.data_preprocessor(batch, False)


def _predicted(model: nn.Module, data: Mapping[str, Any], references: Any | None) -> dict[str, Any]:
    sample = data["data_samples"][0].clone()
    if references is not None:
        sample.references = references.to(data["inputs"][0].device)
    (sample,) = model(**{**data, "data_samples": [sample]}, mode="predict")
    return prediction_line(sample.to_dict())


def _annotation_line(sample: CropDataSample) -> dict[str, Any]:
    """Annotated crops of a photo in pixels of the original; none for a photo without annotation."""
    height, width = sample.ori_shape[:2]
    line = {"img_id": str(sample.img_id), "size": [int(width), int(height)]}
    line["source_id"] = str(sample.get("source_id", line["img_id"]))
    crops = sample.get("gt_crops")
    return line if crops is None else line | {key: _list(value) for key, value in crops.items()}


def _list(values: Tensor) -> list:
    values = values.detach().cpu()
    return values.tolist() if values.dtype == torch.bool else np.round(values.double().numpy(), 6).tolist()


@contextmanager
def image_features_kept(model: nn.Module) -> Iterator[None]:
    """While it lasts, what ``model`` sees in photos alone (``see`` or ``extract_feat``) is computed once per input."""
    name = "see" if hasattr(model, "see") else "extract_feat"
    compute = getattr(model, name, None)
    if compute is None:
        yield
        return
    kept: dict[str, Any] = {"inputs": None}

    def look(batch_inputs: Tensor) -> Any:
        if kept["inputs"] is not batch_inputs:
            kept.update(inputs=batch_inputs, features=compute(batch_inputs))
        return kept["features"]

    setattr(model, name, look)  # on the instance, over the class's method
    try:
        yield
    finally:
        delattr(model, name)

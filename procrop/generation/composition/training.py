"""Training of the learned classifier, with its accuracy on photos that it has not seen."""

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from procrop.io import read_photo

from ..classes import COMPOSITION_CLASSES
from .class_list import read_class_list
from .composition_features import CompositionFeatures
from .composition_head import CompositionHead, fit_composition_head, write_composition_head


@dataclass(frozen=True)
class CrossValidation:
    """Accuracy by cross-validation; a prediction is right when it is one of the photo's classes.

    Attributes:
        accuracy: Share of the photos.
        floor: The same, were each fold given the most frequent class of the other folds.
        recall: By class, the share of its photos for which one of their classes was predicted; None without photos.
        folds: Number of folds.
    """

    accuracy: float
    floor: float
    recall: dict[str, float | None]
    folds: int


def cross_validate(
    features: np.ndarray, labels: np.ndarray, folds: int, penalty: float, seed: int
) -> CrossValidation:
    """Fit on all folds but one, predict the one, for each.

    Args:
        features: (n, v, f) float32.
        labels: (n, 9) bool.
        folds: Parts of (nearly) equal size that photos are dealt into at random.
        penalty: See `fit_composition_head`.
        seed: Of the dealing.

    Raises:
        ValueError: Fewer than two folds, or fewer photos than folds.
    """
    n = len(labels)
    if not 2 <= folds <= n:
        raise ValueError(f"folds must be between 2 and the number of photos, {n}, not {folds}")
    fold = np.random.default_rng(seed).permutation(n) % folds
    right, common = np.zeros(n, bool), np.zeros(n, bool)
    for number in range(folds):
        held, rest = np.flatnonzero(fold == number), np.flatnonzero(fold != number)
        head = fit_composition_head(features[rest], labels[rest], penalty)
        right[held] = labels[held, head.predict(features[held])]
        common[held] = labels[held, labels[rest].sum(axis=0).argmax()]
    recall = {
        name: float(right[labels[:, i]].mean()) if labels[:, i].any() else None
        for i, name in enumerate(COMPOSITION_CLASSES)
    }
    return CrossValidation(float(right.mean()), float(common.mean()), recall, folds)


def train_composition(
    class_list: str | os.PathLike,
    photos: str | os.PathLike,
    out: str | os.PathLike,
    *,
    variant: str = "lite0",
    image_size: int = 256,
    weights: str | os.PathLike | None = None,
    folds: int = 5,
    penalty: float = 1e-3,
    seed: int = 0,
    device: str = "cpu",
    say: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[CompositionHead, CrossValidation]:
    """Train on all photos of a list, report cross-validated accuracy, and write the file.

    Args:
        class_list, photos: See `read_class_list`.
        out: The file to write (``.safetensors``).
        variant, image_size, weights, device: See `CompositionFeatures`.
        folds, penalty, seed: See `cross_validate`.
        say: Told the photos done and their number.

    Raises:
        ValueError: The list or a photo is malformed; the message names the file.
    """
    listed = read_class_list(class_list, photos)
    if not penalty > 0:
        raise ValueError(f"penalty must be above 0, not {penalty}")
    extract = CompositionFeatures(variant, image_size, weights, device)
    found = []
    for path in listed.paths:
        found.append(extract(read_photo(path)))
        say(len(found), len(listed.paths))
    features = np.stack(found)
    measured = cross_validate(features, listed.labels, folds, penalty, seed)
    head = fit_composition_head(features, listed.labels, penalty)
    counts = dict(zip(COMPOSITION_CLASSES, listed.labels.sum(axis=0).tolist(), strict=True))
    training = {"photos": len(features), "counts": counts, "penalty": penalty, "seed": seed}
    write_composition_head(out, head, extract.fingerprint, training | {"cross_validation": measured.__dict__})
    return head, measured

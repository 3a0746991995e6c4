"""From a folder of sorted photos to a weight file and a report."""

import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from procrop.io.atomic import write_text
from procrop.io.manifest import sha256_file, sha256_json
from procrop.networks.artefact_classifier import (
    ArtefactClassifier,
    read_artefact_classifier,
    write_artefact_classifier,
)

from .figures import THRESHOLDS, ClassFigures, class_figures
from .labelled_photos import SOURCE_PATTERN, LabelledPhoto, held_out, labelled_photos, read_pixels
from .report import report_text
from .settings import ArtefactSettings
from .trainer import ArtefactTrainer, bad_probabilities

# raise when the same settings and photos give other weights
_VERSION = 1
_REPORTS = 20


@dataclass(frozen=True)
class ArtefactTraining:
    """What came out.

    Attributes:
        out: The weight file; the report lies beside it, as ``<out>.md``.
        settings: What was asked for.
        counts: Photos by side and class: "training good", "training bad", "held-out good", "held-out bad".
        table: Figures of the held-out photos, a row for each of `THRESHOLDS`.
        rejected: (path, reason) of photos that could not be read.
    """

    out: Path
    settings: ArtefactSettings
    counts: dict[str, int]
    table: tuple[ClassFigures, ...]
    rejected: list[tuple[Path, str]]

    def at(self, threshold: float) -> ClassFigures:
        """The row of a threshold."""
        return next(row for row in self.table if row.threshold == threshold)


def train_artefact_filter(
    folder: str | os.PathLike,
    out: str | os.PathLike,
    settings: ArtefactSettings | None = None,
    init: str | os.PathLike | None = None,
    source_pattern: str = SOURCE_PATTERN,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    say: Callable[[str], None] = print,
) -> ArtefactTraining:
    """Train a classifier on the photos below ``good`` and ``bad``, write it, and measure it on held-out sources.

    An interrupted run keeps its state in ``<out>.cache``; it goes on with ``resume`` to the same result.

    Args:
        folder: Holds the folders ``good`` and ``bad``.
        out: The file to write, ``.safetensors``.
        settings: See `ArtefactSettings`; its defaults by default.
        init: ImageNet weights of the same ResNet to start from; None starts from random weights.
        source_pattern: How a name says its source; see `labelled_photos`.
        device: Torch device.
        resume: Go on with an interrupted run.
        overwrite: Replace ``out``.
        say: Takes a line for people.

    Raises:
        PhotoError: A folder is missing or empty.
        ValueError: There is nothing to train on, ``out`` exists or has another suffix, or the state is of another run.
    """
    out, settings = Path(out), settings or ArtefactSettings()
    if out.suffix != ".safetensors":
        raise ValueError(f"{out}: the file must end in .safetensors")
    if out.exists() and not (resume or overwrite):
        raise ValueError(f"{out}: exists; give --overwrite to replace it")
    photos, pixels, rejected = read_pixels(labelled_photos(folder, source_pattern))
    test, bad = held_out(photos, settings.val_share, settings.seed), np.array([p.bad for p in photos])
    signature = _signature(photos, settings, init)
    model = _finished(out, signature) if resume else None
    if model is None:
        model = _start(settings, init)
        numbers = [p.number for p in photos]
        learned = np.flatnonzero(~test)
        trainer = ArtefactTrainer(
            model, pixels[learned], bad[learned], [numbers[i] for i in learned], settings, device
        )
        every = max(1, settings.epochs // _REPORTS)

        def after_epoch(done: int, loss: float) -> None:
            if done % every == 0 or done == settings.epochs:
                row = class_figures(bad_probabilities(model, pixels[test], device), bad[test], 0.5)
                say(
                    f"epoch {done:>4}/{settings.epochs} loss {loss:.4f} held-out: bad recalled {row.bad_recall:.3f}, "
                    f"good kept {row.good_recall:.3f}"
                )

        state = out.with_name(f"{out.name}.cache") / "training.safetensors"
        trainer.train(state, signature, resume, after_epoch)
        write_artefact_classifier(out, model, {"settings": settings.to_dict(), "signature": signature})
        state.unlink(missing_ok=True)
        with suppress(OSError):  # something else lies in it
            state.parent.rmdir()
    probability = bad_probabilities(model.to(device), pixels[test], device)
    table = tuple(class_figures(probability, bad[test], threshold) for threshold in THRESHOLDS)
    found = ArtefactTraining(out, settings, _counts(test, bad), table, rejected)
    write_text(
        out.with_name(f"{out.name}.md"), report_text(out.name, settings, found.counts, table, rejected)
    )
    return found


def _start(settings: ArtefactSettings, init: str | os.PathLike | None) -> ArtefactClassifier:
    # the first weights are a function of the seed, and the caller's generator is left alone
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = ArtefactClassifier(settings.arch)
    if init is not None:
        model.load_backbone(init)
    return model


def _signature(
    photos: list[LabelledPhoto], settings: ArtefactSettings, init: str | os.PathLike | None
) -> str:
    """Hash of all that decides the weights."""
    return sha256_json(
        {
            "settings": settings.to_dict(),
            "init": None if init is None else sha256_file(init),
            "photos": [[p.sha256, p.bad, p.source] for p in photos],
            "version": _VERSION,
        }
    )


def _finished(out: Path, signature: str) -> ArtefactClassifier | None:
    """The classifier of a run that had come to its end; None if there is none, or it is of another run."""
    if not out.exists():
        return None
    model = read_artefact_classifier(out)
    if model.training_record.get("signature") != signature:
        raise ValueError(
            f"{out}: exists, of a run with other settings or photos; give --overwrite to replace it"
        )
    return model


def _counts(test: np.ndarray, bad: np.ndarray) -> dict[str, int]:
    sides, labels = {"training": ~test, "held-out": test}, {"good": ~bad, "bad": bad}
    return {f"{s} {n}": int((side & label).sum()) for s, side in sides.items() for n, label in labels.items()}

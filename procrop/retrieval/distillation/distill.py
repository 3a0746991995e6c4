"""Distil a gallery's keys into a small encoder: from photos to the finished file and its report."""

import copy
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from procrop.io.lock import FolderLock, FolderLockedError
from procrop.io.manifest import sha256_json
from procrop.io.photo import read_photo
from procrop.networks.efficientnet_lite import HEAD_CHANNELS
from procrop.networks.key_student import KeyHead, KeyStudent
from procrop.networks.training_state import TrainingError

from ..backbones.base import weights_sha256
from ..backbones.distilled_keys import PREPROCESSING_VERSION, DistilledKeyRetrieval
from ..distilled_key_file import (
    DistilledKeyFileError,
    DistilledKeys,
    KeySpace,
    read_distilled_keys,
    write_distilled_keys,
)
from ..gallery import Gallery
from .head_start import apply_head, set_start
from .keys import gallery_keys, student_features, teacher_keys, why_unusable
from .measure import Held, Speed, measure_speed
from .photos import DistillPhoto, collect_photos, held_out, source_numbers
from .ridge import fit_ridge
from .settings import DistillSettings
from .trainer import HeadTrainer, TrainingData

RECALL_AT = (1, 10)
_REPORTS = 10
_FEWEST = 5


class DistillError(ValueError):
    """A distillation that cannot go on; the message says what to do."""


@dataclass
class Distillation:
    """What a distillation came to.

    Attributes:
        out: The file.
        recalls: Per searcher (``random``, ``linear``, ``start``, ``student``) its held-out recall at 1 and at 10.
        counts: Photos by what became of them.
        training: What the file says about its making.
        speed: Photos per second; None where it was not measured.
        rejected: (path, reason) of photos that could not be used.
    """

    out: Path
    recalls: dict[str, dict[str, float]]
    counts: dict[str, int]
    training: dict
    speed: Speed | None = None
    rejected: list[tuple[str, str]] = field(default_factory=list)


def distill_keys(
    gallery: Gallery,
    out: str | os.PathLike,
    photos: Iterable[str | os.PathLike] = (),
    settings: DistillSettings | None = None,
    *,
    device: str = "cpu",
    resume: bool = False,
    overwrite: bool = False,
    speed_photos: int = 8,
    say: Callable[[str], None] = print,
) -> Distillation:
    """Train a small encoder to place photos where a gallery's indexed keys place them, and write it to ``out``.

    The gallery's own photos need no teacher: their keys are there. Further photos are encoded by the teacher once.
    What was computed is kept in ``<out>.cache``, which may be deleted afterwards.

    Args:
        gallery: A finished gallery of any encoder and key transform.
        out: The file (safetensors) to write.
        photos: Folders of further photos to learn from; the more like the later queries, the better.
        settings: See `DistillSettings`.
        device: Where teacher and student run.
        resume: Go on with a training that was interrupted; one that is finished ends at once.
        overwrite: Replace a file at ``out``.
        speed_photos: Held-out photos that the speed of both encoders is measured on; 0 leaves it out, and with no
            further photos the teacher is then never built.
        say: Where the figures go on the way.

    Raises:
        GalleryError: Too few photos, or a damaged gallery.
        DistillError: ``out`` exists, its cache is in use, the training cannot be resumed, or its loss is not a
            number.
        PhotoError: A folder holds no photo.
    """
    out = Path(out)
    if out.suffix != ".safetensors":
        raise DistillError(f"{out}: name a file that ends in .safetensors")
    if out.exists() and not (resume or overwrite):
        raise DistillError(f"{out}: exists; give --overwrite to replace it, or --resume to finish it")
    cache = out.with_name(f"{out.name}.cache")
    cache.mkdir(parents=True, exist_ok=True)
    run = _Run(gallery, out, cache, settings or DistillSettings(), device, say)
    try:
        with FolderLock(cache / "distill.lock"):
            return run.run(photos, resume, speed_photos)
    except (FolderLockedError, TrainingError) as error:
        raise DistillError(str(error)) from error


class _Run:
    """One distillation, step by step."""

    def __init__(
        self,
        gallery: Gallery,
        out: Path,
        cache: Path,
        settings: DistillSettings,
        device: str,
        say: Callable[[str], None],
    ) -> None:
        self.gallery, self.out, self.cache = gallery, out, cache
        self.settings, self.device, self.say = settings, device, say
        self.space = KeySpace.of_gallery(gallery)
        self.cosine = self.space.metric == "cosine"
        self.network = dict(
            key_dim=self.space.key_dim, variant="lite0", grid=4, hidden=settings.hidden, unit=self.cosine
        )
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(settings.seed)
            self.student = KeyStudent(**self.network).load_pretrained()
        self.student.requires_grad_(False).eval()

    def run(self, folders: Iterable[str | os.PathLike], resume: bool, speed_photos: int) -> Distillation:
        photos, rejected = collect_photos(self.gallery, folders)
        data = self._data(photos, rejected)
        held = data.held(data.tested)
        signature = self._signature(data.photos)
        start, recalls = self._floors(data, held)
        if not (resume and self._is_finished(signature)):
            head = self._trained(data, held, signature, resume)
            self.student.head = start if head is None else head
            training = {
                "settings": self.settings.to_dict(),
                "signature": signature,
                "encoder": self.gallery.retrieval_cfg["backbone"]["type"],
                "kept": "start" if head is None else "trained",
            }
            size, state = self.settings.image_size, self.student.state_dict()
            write_distilled_keys(
                self.out,
                DistilledKeys(self.network, size, PREPROCESSING_VERSION, self.space, training, state),
            )
        student = DistilledKeyRetrieval(self.out, device=self.device)
        keys = apply_head(student.network.head, data.features[0][data.tested], self.device)
        recalls["student"] = _recalls(held, keys)
        timed = [p for p, t in zip(data.photos, data.tested, strict=True) if t][:speed_photos]
        training = read_distilled_keys(self.out).training
        return Distillation(
            self.out, recalls, data.counts(rejected), training, self._speed(student, timed), rejected
        )

    def _data(self, photos: list[DistillPhoto], rejected: list[tuple[str, str]]) -> "_Data":
        known = gallery_keys(self.gallery)
        if self.cosine:
            known = known / np.linalg.norm(known, axis=1, keepdims=True)
        photos, keys, features = self._both_ends(photos, known, rejected)
        share, seed = self.settings.val_share, self.settings.seed
        tested = held_out(photos, share, f"{seed}")
        watched = np.zeros(len(photos), bool)
        if self.settings.epochs:
            watched[~tested] = held_out(
                [p for p, t in zip(photos, tested, strict=True) if not t], share, f"{seed} watch"
            )
        numbers = source_numbers([p.source_id for p in photos] + self.gallery.source_ids)
        data = _Data(
            photos,
            keys,
            features,
            numbers[: len(photos)],
            known,
            numbers[len(photos) :],
            tested,
            watched,
            self.space.metric,
        )
        if (pool := int((data.learned & data.in_gallery).sum())) < _FEWEST:
            raise DistillError(
                f"{self.gallery.folder}: {pool} of its photos are left to learn from, {_FEWEST} are needed; take a "
                f"larger gallery or a smaller val_share"
            )
        return data

    def _both_ends(
        self, photos: list[DistillPhoto], known: np.ndarray, rejected: list[tuple[str, str]]
    ) -> tuple[list[DistillPhoto], np.ndarray, np.ndarray]:
        """The photos that can be used, their teacher keys (n, d), and their features (views, n, f)."""
        further = [p for p in photos if p.gallery_id is None]
        keys = np.empty((len(photos), self.space.key_dim), np.float32)
        ids = np.array([p.gallery_id for p in photos if p.gallery_id is not None])
        keys[: len(ids)] = known[ids]
        if further:
            found = teacher_keys(self.gallery, self.space, further, self.cache, self.device)
            with np.errstate(invalid="ignore", divide="ignore"):
                keys[len(ids) :] = (
                    found / np.linalg.norm(found, axis=1, keepdims=True) if self.cosine else found
                )
        folded = copy.deepcopy(self.student)
        folded.trunk.fold_batch_norm()
        folded = folded.to(self.device, memory_format=torch.channels_last)
        trunk = weights_sha256(self.student.trunk.state_dict())
        features = np.stack(
            [
                student_features(folded, trunk, self.settings, photos, view, self.cache, self.device)
                for view in range(self.settings.views)
            ]
        )
        good = np.isfinite(keys).all(axis=1) & np.isfinite(features).all(axis=(0, 2))
        rejected += [(str(p.path), why_unusable(p)) for p, g in zip(photos, good, strict=True) if not g]
        return [p for p, g in zip(photos, good, strict=True) if g], keys[good], features[:, good]

    def _signature(self, photos: list[DistillPhoto]) -> str:
        """Hash of all that decides the weights."""
        return sha256_json(
            {
                "settings": self.settings.to_dict(),
                "network": self.network,
                "start": weights_sha256(self.student.state_dict()),
                "space": self.space.__dict__,
                "photos": [[p.sha256, p.source_id, p.gallery_id] for p in photos],
                "preprocessing": PREPROCESSING_VERSION,
            }
        )

    def _is_finished(self, signature: str) -> bool:
        try:
            return self.out.exists() and read_distilled_keys(self.out).training.get("signature") == signature
        except DistilledKeyFileError:
            return False

    def _floors(self, data: "_Data", held: Held) -> tuple[KeyHead, dict[str, dict[str, float]]]:
        """The head at the least-squares map of all photos that are not tested, and what the floors reach."""
        recalls = {"random": {f"recall@{k}": held.random_recall(k) for k in RECALL_AT}}
        fitted, tested = ~data.tested, data.tested
        pooled = data.features[0][:, -HEAD_CHANNELS:].astype(np.float32)
        recalls["linear"] = _recalls(held, fit_ridge(pooled[fitted], data.keys[fitted])(pooled[tested]))
        head = copy.deepcopy(self.student.head)
        set_start(head, self.student.widths, data.features[0][fitted], data.keys[fitted])
        recalls["start"] = _recalls(held, apply_head(head, data.features[0][tested], "cpu"))
        for name, figures in recalls.items():
            self.say(f"held-out {name:<8}" + "".join(f" {k} {v:.3f}" for k, v in figures.items()))
        return head, recalls

    def _trained(self, data: "_Data", held: Held, signature: str, resume: bool) -> KeyHead | None:
        """A trained head, or None where training did not help photos that it had not seen.

        Neither the training nor the start it is compared with here has seen the watched photos, and the choice looks
        at no tested photo.
        """
        if not self.settings.epochs:
            return None
        head = copy.deepcopy(self.student.head)
        rows, watch = data.learned, data.held(data.watched)
        set_start(head, self.student.widths, data.features[0][rows], data.keys[rows])
        before = watch.recall(apply_head(head, data.features[0][data.watched], "cpu"), RECALL_AT[-1])
        trainer = HeadTrainer(head.requires_grad_(True), data.training(), self.settings, self.device)
        every = max(1, self.settings.epochs // _REPORTS)

        def after_epoch(done: int, loss: float) -> None:
            if done % every == 0 or done == self.settings.epochs:
                found = _recalls(held, apply_head(head, data.features[0][data.tested], self.device))
                figures = "".join(f" {k} {v:.3f}" for k, v in found.items())
                self.say(f"epoch {done:>4}/{self.settings.epochs} loss {loss:.4f} held-out{figures}")

        trainer.train(self.cache / "training.safetensors", signature, resume, after_epoch)
        head = head.to("cpu").requires_grad_(False)
        after = watch.recall(apply_head(head, data.features[0][data.watched], "cpu"), RECALL_AT[-1])
        self.say(f"watched photos: recall@{RECALL_AT[-1]} {before:.3f} at the start, {after:.3f} trained")
        return head if after > before else None

    def _speed(self, student: DistilledKeyRetrieval, photos: list[DistillPhoto]) -> Speed | None:
        if not photos:
            return None
        return measure_speed(
            self.gallery.backbone(self.device), student, [read_photo(p.path) for p in photos]
        )


@dataclass(frozen=True)
class _Data:
    """Photos with both their ends: n photos, the gallery's N keys, and who is tested (n,) and watched (n,)."""

    photos: list[DistillPhoto]
    keys: np.ndarray
    features: np.ndarray
    sources: np.ndarray
    gallery_keys: np.ndarray
    gallery_sources: np.ndarray
    tested: np.ndarray
    watched: np.ndarray
    metric: str

    @property
    def learned(self) -> np.ndarray:
        return ~self.tested & ~self.watched

    @property
    def in_gallery(self) -> np.ndarray:
        return np.array([p.gallery_id is not None for p in self.photos])

    def held(self, mask: np.ndarray) -> Held:
        """Photos to be tested on, as queries against the whole gallery."""
        return Held(self.keys[mask], self.sources[mask], self.gallery_keys, self.gallery_sources, self.metric)

    def training(self) -> TrainingData:
        rows, pool = np.flatnonzero(self.learned), self.learned & self.in_gallery
        numbers = [self.photos[i].number for i in rows]
        keys, sources = self.keys, self.sources
        return TrainingData(
            numbers, self.features[:, rows], keys[rows], sources[rows], keys[pool], sources[pool], self.metric
        )

    def counts(self, rejected: list) -> dict[str, int]:
        inside = int(self.in_gallery.sum())
        further = len(self.photos) - inside
        return {
            "gallery": inside,
            "further": further,
            "held out": int(self.tested.sum()),
            "rejected": len(rejected),
        }


def _recalls(held: Held, keys: np.ndarray) -> dict[str, float]:
    return {f"recall@{k}": held.recall(keys, k) for k in RECALL_AT}

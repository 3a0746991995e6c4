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
from .keys import gallery_keys, student_features, teacher_keys, why_unusable
from .measure import Held, Speed, measure_speed
from .photos import DistillPhoto, collect_photos, held_out, source_numbers
from .ridge import Ridge, fit_ridge
from .settings import DistillSettings
from .trainer import DistillError, HeadTrainer, TrainingData

RECALL_AT = (1, 10)
_REPORTS = 10
_FEWEST = 5


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
        DistillError: ``out`` exists, its cache is in use, or the training cannot be resumed.
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
    except FolderLockedError as error:
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
        known = gallery_keys(self.gallery)
        if self.cosine:
            known = known / np.linalg.norm(known, axis=1, keepdims=True)
        photos, keys, features = self._both_ends(photos, known, rejected)
        tested = held_out(photos, self.settings.val_share, self.settings.seed)
        pool = sum(p.gallery_id is not None for p, t in zip(photos, tested, strict=True) if not t)
        if pool < _FEWEST:
            raise DistillError(
                f"{self.gallery.folder}: {pool} of its photos are left to learn from, {_FEWEST} are needed; take a "
                f"larger gallery or a smaller val_share"
            )
        numbers = source_numbers([p.source_id for p in photos] + self.gallery.source_ids)
        sources, gallery_sources = numbers[: len(photos)], numbers[len(photos) :]
        held = Held(keys[tested], sources[tested], known, gallery_sources, self.space.metric)
        signature = self._signature(photos)

        start, recalls = self._start(features[0], keys, tested, held)
        training = {
            "settings": self.settings.to_dict(),
            "signature": signature,
            "encoder": self.gallery.retrieval_cfg["backbone"]["type"],
        }
        counts = {
            "gallery": sum(p.gallery_id is not None for p in photos),
            "further": sum(p.gallery_id is None for p in photos),
            "held out": int(tested.sum()),
            "rejected": len(rejected),
        }
        if not (resume and self._is_finished(signature)):
            self._train(photos, keys, features, sources, tested, held, signature, resume)
            state = self.student.state_dict()
            content = DistilledKeys(
                self.network, self.settings.image_size, PREPROCESSING_VERSION, self.space, training, state
            )
            write_distilled_keys(self.out, content)
        student = DistilledKeyRetrieval(self.out, device=self.device)
        head = student.network.head
        recalls["student"] = self._recall(held, _apply(head, features[0][tested], self.device))
        speed = self._speed(student, [p for p, t in zip(photos, tested, strict=True) if t][:speed_photos])
        return Distillation(self.out, recalls, counts, training, speed, rejected)

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

    def _start(
        self, features: np.ndarray, keys: np.ndarray, tested: np.ndarray, held: Held
    ) -> tuple[Ridge, dict[str, dict[str, float]]]:
        """Put the least-squares map into the head, and measure the floors."""
        recalls = {"random": {f"recall@{k}": held.random_recall(k) for k in RECALL_AT}}
        pooled = features[:, -HEAD_CHANNELS:].astype(np.float32)
        linear = fit_ridge(pooled[~tested], keys[~tested])
        recalls["linear"] = self._recall(held, linear(pooled[tested]))
        start = set_start(self.student.head, self.student.widths, features[~tested], keys[~tested])
        recalls["start"] = self._recall(held, _apply(self.student.head, features[tested], "cpu"))
        for name, figures in recalls.items():
            self.say(f"held-out {name:<8}" + "".join(f" {k} {v:.3f}" for k, v in figures.items()))
        return start, recalls

    @staticmethod
    def _recall(held: Held, keys: np.ndarray) -> dict[str, float]:
        return {f"recall@{k}": held.recall(keys, k) for k in RECALL_AT}

    def _train(
        self,
        photos: list[DistillPhoto],
        keys: np.ndarray,
        features: np.ndarray,
        sources: np.ndarray,
        tested: np.ndarray,
        held: Held,
        signature: str,
        resume: bool,
    ) -> None:
        rows = np.flatnonzero(~tested)
        pool = np.array([i for i in rows if photos[i].gallery_id is not None])
        data = TrainingData(
            [photos[i].number for i in rows],
            features[:, rows],
            keys[rows],
            sources[rows],
            keys[pool],
            sources[pool],
            self.space.metric,
        )
        head = self.student.head.requires_grad_(True)
        trainer = HeadTrainer(head, data, self.settings, self.device)
        every = max(1, self.settings.epochs // _REPORTS)

        def after_epoch(done: int, loss: float) -> None:
            if done % every == 0 or done == self.settings.epochs:
                found = self._recall(held, _apply(head, features[0][tested], self.device))
                figures = "".join(f" {k} {v:.3f}" for k, v in found.items())
                self.say(f"epoch {done:>4}/{self.settings.epochs} loss {loss:.4f} held-out{figures}")

        trainer.train(self.cache / "training.safetensors", signature, resume, after_epoch)
        head.to("cpu").requires_grad_(False)

    def _speed(self, student: DistilledKeyRetrieval, photos: list[DistillPhoto]) -> Speed | None:
        if not photos:
            return None
        return measure_speed(
            self.gallery.backbone(self.device), student, [read_photo(p.path) for p in photos]
        )


def set_start(head: KeyHead, widths: tuple[int, ...], features: np.ndarray, keys: np.ndarray) -> Ridge:
    """Set a head's scales and its linear map by least squares on features (n, f) and keys (n, d)."""
    wide = features.astype(np.float32)
    head.mean.copy_(torch.from_numpy(wide.mean(axis=0)))
    variances = np.split(wide.var(axis=0, dtype=np.float64), np.cumsum(widths)[:-1])
    scales = [1 / np.sqrt(max(v.sum() * len(widths), 1e-12)) for v in variances]
    head.scale.copy_(torch.from_numpy(np.repeat(scales, widths).astype(np.float32)))
    with torch.no_grad():
        ridge = fit_ridge(head.standardise(torch.from_numpy(wide)).numpy(), keys)
        head.linear.weight.copy_(torch.from_numpy(ridge.weight.T.astype(np.float32)))
        head.linear.bias.copy_(torch.from_numpy(ridge.bias.astype(np.float32)))
    return ridge


def _apply(head: KeyHead, features: np.ndarray, device: str) -> np.ndarray:
    """Keys (n, d) float32 of features (n, f)."""
    head.eval()
    with torch.inference_mode():
        return head(torch.from_numpy(features).to(device).float()).cpu().numpy()

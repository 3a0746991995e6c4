"""A tiny training and its gallery, to be published, and a folder like procrop/model_zoo with what comes of it."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from mmengine.config import Config
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
NAME = "procrop-lite"

CONFIG = """
_base_ = [
    "{base}/models/procrop_evidence.py",
    "{base}/datasets/toy.py",
    "{base}/retrieval/efficientnet_lite0_64.py",
    "{base}/schedules/toy.py",
    "{base}/default_runtime.py",
]
work_dir = "{work}"
load_from = "{work}/start.pth"
test_dataloader = dict(dataset=dict(data_root="{work}/data", references=dict(gallery="{work}/gallery", k=3)))
"""


@dataclass(frozen=True)
class Trained:
    """What `publish_model` takes."""

    checkpoint: Path
    gallery: Path
    photos: Path


def write_credited_photos(folder, count=6):
    """Photos of 400 x 300 pixels, PNGs among them, and their manifest.jsonl: two licences, and an unknown author."""
    rng, lines = np.random.default_rng(3), []
    for number in range(count):
        name = f"{'ab'[number % 2]}/photo {number}.{'png' if number == 5 else 'jpg'}"
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((400, 300), Image.Resampling.BICUBIC).save(path)
        lines.append(
            {
                "file": name,
                "title": f"Title {number}",
                "author": None if number == 2 else f"Zoë {number}",
                "licence": "CC0-1.0" if number % 2 else "CC-BY-SA-3.0",
                "repository": "some/photos",
                "original": f"all/{number}.jpg",
            }
        )
    (folder / "manifest.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def train(folder: Path, untrained) -> Trained:
    """A gallery of credited photos, and a checkpoint of a model that can read it, as a training leaves them."""
    from procrop.retrieval import GalleryItem, build_gallery

    photos = write_credited_photos(folder / "photos")
    config = folder / "config.py"
    config.write_text(CONFIG.format(base=ROOT / "configs/_base_", work=folder))
    cfg = Config.fromfile(config)
    paths = sorted([*photos.rglob("*.jpg"), *photos.rglob("*.png")])
    items = [GalleryItem(path) for path in paths]
    gallery = build_gallery(folder / "gallery", items, cfg.retrieval.to_dict(), photos)
    checkpoint = untrained(config, gallery, folder / "epoch_1.pth")
    return Trained(checkpoint, gallery.folder, photos)


def bytes_of(folder: Path) -> dict[str, str]:
    """SHA-256 of each file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def publish_into(root: Path, trained: Trained) -> Path:
    """Publish a model into a folder like procrop/model_zoo; returns the folder."""
    from procrop.apis.publishing import EntryWords, publish_model, with_entry
    from procrop.model_zoo.metafile import PACKAGE_METAFILE

    published = publish_model(trained.checkpoint, trained.gallery, NAME, root / "weights" / NAME)
    words = EntryWords(
        NAME, "ProCrop", "configs/procrop_toy.py", "CC0-1.0", ("drawn photos",), "drawn photos"
    )
    (root / "metafile.yml").write_text(
        with_entry(PACKAGE_METAFILE.read_text(encoding="utf-8"), words, published), encoding="utf-8"
    )
    return root

"""A stand-in for the cropper, and the crop command around it: the right half of every photo, then the whole of it."""

import json
import os
import sys
import types

import numpy as np
from PIL import Image

from procrop.apis.cli import main
from procrop.inference import CropResult, Reference


class HalfCropper:
    """Takes the arguments of CropInferencer and has its methods."""

    references = object()
    made: list[tuple] = []

    def __init__(
        self, checkpoint, gallery=None, device=None, k=None, query_encoder=None, text=None, text_encoder=None
    ):
        HalfCropper.made.append((checkpoint, gallery, device, k, query_encoder))
        HalfCropper.text_options = text, text_encoder
        self.text = None if text is False else object()

    def check_top_k(self, top_k):
        if top_k > 3:
            raise ValueError(f"this model predicts 3 crops per photo, top_k={top_k} is more")

    def check_captions(self, captions):
        if "refused" in list(captions):
            raise ValueError("model.pth: this model works without text; leave the caption out")

    def crop(self, photo, path, top_k, caption=None):
        height, width = photo.shape[:2]
        if width > 1000:
            return CropResult(os.fspath(path), (width, height), rejected="too large")
        boxes = np.array([[width / 2, 0, width, height], [0, 0, width, height]])[:top_k]
        reference = Reference(3, "gone.jpg", 0.5, "/nowhere/gone.jpg")
        said = dict(caption=caption or "half black", caption_source="given" if caption else "generated")
        return CropResult(
            os.fspath(path),
            (width, height),
            boxes,
            np.array([0.9, 0.4])[:top_k],
            [reference],
            **(said if self.text else {}),
        )


def stand_in(monkeypatch):
    """Put HalfCropper where the command looks for CropInferencer."""
    module = types.ModuleType("procrop.inference.crop_inferencer")
    module.CropInferencer = HalfCropper
    monkeypatch.setitem(sys.modules, "procrop.inference.crop_inferencer", module)
    HalfCropper.made = []
    HalfCropper.text_options = None


def draw_photo(path, size=(80, 60)):
    """A photo that is black on the left half and white on the right."""
    pixels = np.zeros((size[1], size[0], 3), dtype=np.uint8)
    pixels[:, size[0] // 2 :] = 255
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
    return path


def run(*words):
    return main(["crop", *map(str, words), "--checkpoint", "model.pth"])


def read_lines(out):
    return [json.loads(line) for line in (out / "crops.jsonl").read_text().splitlines()]

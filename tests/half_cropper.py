"""A stand-in for the cropper, and the crop command around it: the right half of every photo, then the whole of it."""

import json
import os
import sys
import types

import numpy as np
from PIL import Image

import procrop.model_zoo
from procrop.apis.cli import main
from procrop.inference import CropResult, PhotoRejected, Reference


class HalfCropper:
    """Takes the arguments of CropInferencer and has its methods."""

    references = object()
    model = None
    made: list[tuple] = []
    embedded: list[str] = []

    def __init__(
        self, checkpoint, gallery=None, device=None, k=None, query_encoder=None, text=None, text_encoder=None
    ):
        HalfCropper.made.append((checkpoint, gallery, device, k, query_encoder))
        HalfCropper.text_options = text, text_encoder
        self.text = None if text is False else object()

    def check(self, request):
        if request.top_k > 3:
            raise ValueError(f"this model predicts 3 crops per photo, top_k={request.top_k} is more")
        self.check_captions([request.caption])

    def check_captions(self, captions):
        if "refused" in list(captions):
            raise ValueError("model.pth: this model works without text; leave the caption out")

    def embed(self, photo, path, caption=None):
        HalfCropper.embedded.append(os.fspath(path))
        height, width = photo.shape[:2]
        if width > 1000:
            raise PhotoRejected(path, "too large")
        return types.SimpleNamespace(photo=photo, path=os.fspath(path), size=(width, height), caption=caption)

    def answer(self, embedding, request, attention=False):
        width, height = embedding.size
        boxes = np.array([[width / 2, 0, width, height], [0, 0, width, height]])[: request.top_k]
        if request.ratio == "1:1":
            side = min(width, height)
            boxes = np.array([[width - side, 0, width, side], [0, 0, side, side]])[: request.top_k]
        if request.min_area > 0.9:
            return CropResult(embedding.path, embedding.size, rejected="no crop is as large as that")
        said = dict(
            caption=request.caption or "half black",
            caption_source="given" if request.caption else "generated",
        )
        return CropResult(
            embedding.path,
            embedding.size,
            boxes,
            np.array([0.9, 0.4])[: request.top_k],
            [Reference(3, "gone.jpg", 0.5, "/nowhere/gone.jpg")],
            image=embedding.photo,
            **(said if self.text else {}),
        )


def put_in_place(set_module=sys.modules.__setitem__, set_attribute=setattr):
    """Put HalfCropper where the command looks for CropInferencer; files of models need not exist."""
    module = types.ModuleType("procrop.inference.crop_inferencer")
    module.CropInferencer = HalfCropper
    set_module(module.__name__, module)
    set_attribute(procrop.model_zoo, "resolve_model", lambda checkpoint, gallery: (checkpoint, gallery))
    HalfCropper.made, HalfCropper.embedded = [], []
    HalfCropper.text_options = None


def stand_in(monkeypatch):
    """The same for a test."""
    put_in_place(lambda name, module: monkeypatch.setitem(sys.modules, name, module), monkeypatch.setattr)


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

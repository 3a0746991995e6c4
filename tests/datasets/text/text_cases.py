"""An encoder that counts what it does and can fail or be killed, and photos to encode; no weights are needed."""

import hashlib
import os
import signal
from pathlib import Path

import numpy as np
from PIL import Image

from procrop.datasets.text import TextPhoto
from procrop.models.text import TextEncoder
from procrop.registry import TEXT_ENCODERS


@TEXT_ENCODERS.register_module()
class ColourTextEncoder(TextEncoder):
    """Writes the mean colour of a photo, and makes a token of each word and the photo's colour.

    Args:
        fail_after: Photos that it captions before it fails.
        kill_after: Photos that it encodes before it kills its process.
    """

    batch_size = 3
    token_dim, max_tokens = 5, 4

    def __init__(self, salt="", fail_after=None, kill_after=None, model="1"):
        self.salt, self.fail_after, self.kill_after, self.model = salt, fail_after, kill_after, model
        self.captioned, self.encoded = [], []

    @property
    def fingerprint(self):
        return hashlib.sha256(f"colour{self.salt}".encode()).hexdigest()

    @property
    def caption_fingerprint(self):
        return hashlib.sha256(f"captions{self.model}".encode()).hexdigest()

    def prepare(self, image):
        return image[:4, :4]

    def caption(self, images):
        if self.fail_after is not None and len(self.captioned) + len(images) > self.fail_after:
            raise RuntimeError("the caption model failed")
        texts = ["a photo of {} {} {}".format(*self._colour(image)) for image in images]
        self.captioned += texts
        return texts

    def encode(self, images, captions):
        found = []
        for image, caption in zip(images, captions, strict=True):
            if self.kill_after is not None and len(self.encoded) == self.kill_after:
                os.kill(os.getpid(), signal.SIGKILL)
            self.encoded.append(caption)
            words = [sum(word.encode()) % 97 for word in (caption + self.salt).split()[: self.max_tokens]]
            rows = [[number, len(caption), *self._colour(image)] for number in words]
            found.append(np.array(rows, np.float16))
        return found

    def _colour(self, image):
        return image.reshape(-1, 3).mean(0).round().astype(int).tolist()


def draw_photos(folder, number):
    """Photos of one colour each, ``p00`` and so on."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(number):
        draw_photo(folder / f"p{i:02}.png", (i, 2 * i, 200 - i))
    return [TextPhoto(path.stem, path) for path in sorted(folder.glob("*.png"))]


def draw_photo(path, colour):
    """A photo of one colour."""
    Image.new("RGB", (8, 6), colour).save(path)


def content(folder):
    """Name and bytes of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(Path(folder).rglob("*"))
        if path.is_file()
    }

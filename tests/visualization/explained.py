"""Results of a cropper for the tests of what explains them."""

import numpy as np
from PIL import Image

from procrop.inference import CropResult, Reference, ReferenceAttention


def attention(references, photo=0.3, text=0.0, null=0.1):
    """Attention of crops on references (n, K), scaled so that each crop has the sum 1."""
    references = np.atleast_2d(np.asarray(references, dtype=np.float64))
    rest = 1 - photo - text - null
    references = references / references.sum(1, keepdims=True) * rest
    one = np.ones(len(references))
    return ReferenceAttention(np.arange(references.shape[1]), references, photo * one, text * one, null * one)


def explained(folder, references=3, size=(300, 200), name="photo.jpg", attended=None, **fields):
    """A photo with two crops and references whose files are of one colour each, similar by 0.9, 0.8, ..."""
    paths = []
    for number in range(references):
        path = folder / f"reference_{number}.png"
        Image.new("RGB", (60, 40), (10, 100 + number, 200)).save(path)
        paths.append(str(path))
    found = [Reference(i, f"reference_{i}.png", 0.9 - 0.1 * i, path) for i, path in enumerate(paths)]
    width, height = size
    photo = np.full((height, width, 3), (120, 130, 60), dtype=np.uint8)
    boxes = np.array([[0.1 * width, 0.2 * height, 0.9 * width, 0.9 * height], [0, 0, 0.5 * width, height]])
    return CropResult(
        f"/photos/{name}",
        size,
        boxes,
        np.array([0.9, 0.4]),
        fields.pop("found", found),
        image=fields.pop("image", photo),
        attention=attended,
        **fields,
    )

"""A folder of drawn photos, good and bad, that can be told apart: smooth ones, and ones with a chequerboard."""

import numpy as np
from PIL import Image


def draw(root, sources=24, seed=0, size=(96, 64)):
    """Write ``good/<source>_0.png`` and ``bad/<source>_1.png``; the folder."""
    rng = np.random.default_rng(seed)
    for name in ("good", "bad"):
        (root / name).mkdir(parents=True, exist_ok=True)
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    for i in range(sources):
        ramp = x[..., None] * rng.uniform(-0.5, 0.5, 3) + y[..., None] * rng.uniform(-0.5, 0.5, 3)
        good = 120 + ramp + rng.normal(0, 3, (*x.shape, 3))
        bad = good + 40 * (((x // 8 + y // 8) % 2)[..., None] - 0.5)
        for photo, path in ((good, f"good/s{i:02d}_0.png"), (bad, f"bad/s{i:02d}_1.png")):
            Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(root / path)
    return root

"""Scene families with a hidden style: what decides the best crop cannot be seen in the photo to be cropped.

Every family has a look (see `scene.Look`) and, drawn apart from it, a style: its subjects belong on the left third
or on the right third. Photos to be cropped show the subject near the middle, placed alike for both styles, so the
style cannot be read off them. Gallery photos of the family are composed in its style, so references tell it.
"""

from dataclasses import dataclass

import numpy as np

from procrop.datasets.toy.rule import STYLES
from procrop.datasets.toy.scene import Box, Look, Scene, sample_distractors, sample_look, subject_box

_LOOKS, _STYLES = 101, 102  # streams of random numbers, so that looks and styles are independent


@dataclass(frozen=True)
class HiddenStylePlan:
    """Which families there are, in which split, and in which style.

    Attributes:
        seed: seed of the data set.
        splits: number of families of train, val and test; families are numbered in this order.
    """

    seed: int
    splits: dict[str, int]

    @property
    def families(self) -> list[tuple[int, str]]:
        """(family, split) of all families."""
        names = [split for split, count in self.splits.items() for _ in range(count)]
        return list(enumerate(names))

    def styles(self) -> list[str]:
        """Style of each family: per split half of them (to within one) each, shuffled."""
        styles: list[str] = []
        for stream, count in enumerate(self.splits.values()):
            rng = np.random.default_rng([self.seed, _STYLES, stream])
            first = int(rng.integers(2))  # the style that gets the odd one
            styles += [STYLES[(first + i) % 2] for i in rng.permutation(count)]
        return styles

    def look(self, family: int) -> Look:
        """Appearance of a family, whatever its style."""
        return sample_look(np.random.default_rng([self.seed, _LOOKS, family]))


def _sample_place(rng: np.random.Generator, look: Look, aspect: float, cx: float) -> tuple[float, Box]:
    """Horizon and subject of one photo of a family: varied a little around the look's own."""
    horizon = float(np.clip(look.horizon + rng.normal(0, 0.02), 0.3, 0.66))
    size = rng.uniform(0.23, 0.29)
    foot = rng.uniform(max(horizon + 0.1, 0.66), 0.8)
    if look.subject_kind == "balloon":
        foot = rng.uniform(0.52, 0.62)
    return horizon, subject_box(look.subject_kind, cx, foot, size, aspect)


def sample_query_scene(rng: np.random.Generator, look: Look, aspect: float) -> Scene:
    """Draw a photo to be cropped: the subject near the middle; no argument tells the style.

    Args:
        rng: source of randomness.
        look: the family's appearance.
        aspect: width over height of the photo in pixels.
    """
    cx = 0.5 + float(np.clip(rng.normal(0, 0.018), -0.04, 0.04))
    horizon, subject = _sample_place(rng, look, aspect, cx)
    things = sample_distractors(rng, int(rng.integers(0, 3)), horizon)
    return Scene(
        look, horizon, subject, things, None, float(rng.uniform(0.93, 1.07)), int(rng.integers(2**31))
    )


def sample_gallery_scene(rng: np.random.Generator, look: Look, aspect: float) -> Scene:
    """Draw a tidy place of the family for a professional photo; `rule.best_framing` frames it in the style."""
    horizon, subject = _sample_place(rng, look, aspect, 0.5)
    return Scene(look, horizon, subject, (), None, float(rng.uniform(0.93, 1.07)), int(rng.integers(2**31)))

"""Photos with two subjects of different kinds, of which a caption names the one that the crop should keep.

What is shown is drawn without knowing which one is named, so that nothing in a photo tells it; the caption says the
kind and never the place, so that nothing in the caption tells where to crop. Only both together do.
"""

from dataclasses import dataclass, replace

import numpy as np

from procrop.datasets.toy.scene import Box, Look, Scene, sample_look, subject_box, subject_colours

# names of SUBJECTS whose shapes are far apart, so that few photos are needed to learn the words for them
KINDS = ("person", "tree", "house", "boat", "tower", "car")
SIDES = ("left", "right")
PHRASES = (
    "the {}",
    "a photo of the {}",
    "keep the {} in the frame",
    "crop to the {}",
    "a picture that shows the {} well",
    "the {} is what matters",
)
_PAIRS = 103  # stream of random numbers for who stands where and is named


@dataclass(frozen=True)
class Pair:
    """Who stands in a photo, and who is named.

    Attributes:
        kinds: kinds of the left and of the right subject, names in KINDS.
        named: 0 when the caption names the left one, 1 for the right one.
        phrase: number of the caption's wording in PHRASES.
    """

    kinds: tuple[str, str]
    named: int
    phrase: int

    @property
    def captions(self) -> tuple[str, str]:
        """The right caption, and the same words about the other subject."""
        phrase = PHRASES[self.phrase]
        return phrase.format(self.kinds[self.named]), phrase.format(self.kinds[1 - self.named])


@dataclass(frozen=True)
class TwoSubjectsPlan:
    """The pairs of a data set: in each split every kind is named, and is the other one, equally often to within one.

    Attributes:
        seed: seed of the data set.
        splits: number of photos of train, val and test.
    """

    seed: int
    splits: dict[str, int]

    def pairs(self) -> list[Pair]:
        """One pair per photo, in the order of the splits."""
        return [
            pair for stream, count in enumerate(self.splits.values()) for pair in self._split(stream, count)
        ]

    def _split(self, stream: int, count: int) -> list[Pair]:
        """Rounds in which each kind is named once and is the other one once; sides are tossed for each photo."""
        rng, pairs = np.random.default_rng([self.seed, _PAIRS, stream]), []
        while len(pairs) < count:
            kinds = rng.permutation(KINDS)
            others = np.roll(kinds, int(rng.integers(1, len(KINDS))))
            for kind, other in zip(kinds.tolist(), others.tolist(), strict=True):
                named, phrase = int(rng.integers(2)), int(rng.integers(len(PHRASES)))
                pairs.append(Pair((other, kind) if named else (kind, other), named, phrase))
        return pairs[:count]


def _sample_subject(
    rng: np.random.Generator, look: Look, kind: str, middle: float, horizon: float, aspect: float
) -> tuple[Look, Box]:
    """Draw colours, shape, size and place of one subject; the same for both but for the middle."""
    body, accent, detail = subject_colours(rng.uniform(size=9), look.ground_near)
    shape = tuple(rng.uniform(size=3).tolist())
    own = replace(look, subject_kind=kind, body=body, accent=accent, detail=detail, proportions=shape)
    cx, size = middle + rng.uniform(-0.04, 0.04), rng.uniform(0.25, 0.3)
    foot = rng.uniform(max(horizon + 0.1, 0.7), 0.84)
    return own, subject_box(kind, float(cx), float(foot), float(size), aspect)


def sample_pair_scene(rng: np.random.Generator, kinds: tuple[str, str], aspect: float) -> Scene:
    """Draw a photo with two subjects side by side; no argument tells which one is named.

    Args:
        rng: source of randomness.
        kinds: kinds of the left and of the right subject.
        aspect: width over height of the photo in pixels.

    Returns:
        The scene; its `subject` is the left one, its `second` the right one.
    """
    look = sample_look(rng)
    horizon = float(np.clip(look.horizon + rng.normal(0, 0.02), 0.34, 0.6))
    left, right = (
        _sample_subject(rng, look, kind, middle, horizon, aspect)
        for kind, middle in zip(kinds, (0.25, 0.75), strict=True)
    )
    exposure, texture = float(rng.uniform(0.93, 1.07)), int(rng.integers(2**31))
    return Scene(left[0], horizon, left[1], (), None, exposure, texture, right)


def swap_subjects(scene: Scene) -> Scene:
    """The same photo with the other subject as the one that the rule judges by.

    Raises:
        ValueError: the scene has one subject.
    """
    if scene.second is None:
        raise ValueError("a scene with one subject has no other to judge by")
    look, box = scene.second
    return replace(scene, look=look, subject=box, second=(scene.look, scene.subject))

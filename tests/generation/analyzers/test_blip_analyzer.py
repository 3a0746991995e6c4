"""BLIP's captions joined with what is measured."""

import json

import cv2
import numpy as np
import pytest

from procrop.generation import CADItem, CompositionAnalysis, DropItem
from procrop.generation.layout.caption_phrases import noun_phrases
from procrop.generation.steps.analyzers import BLIPAnalyzer, RuleAnalyzer
from procrop.models.text import TextEncoder, WordTextEncoder

_LAYERS = dict(intermediate_size=32, num_hidden_layers=1, num_attention_heads=2)
TINY_BLIP = dict(
    type="BLIPTextEncoder",
    random_weights_seed=0,
    max_new_tokens=8,
    config=dict(
        text_config=dict(**_LAYERS, hidden_size=16, max_position_embeddings=48, initializer_range=0.3),
        vision_config=dict(**_LAYERS, hidden_size=16, image_size=32, patch_size=16, initializer_range=0.3),
    ),
    vocabulary=["a", "boat", "composed", "dog", "of", "photo", "tree"],
)


class Told(TextEncoder):
    """A captioner that says what it is told."""

    token_dim, max_tokens, fingerprint = 1, 1, "0"

    def __init__(self, caption):
        self.said = caption

    @property
    def caption_fingerprint(self):
        return f"told {self.said}"

    def caption(self, images):
        return [self.said] * len(images)

    def encode(self, images, captions):
        raise AssertionError("tokens are not asked for")


def photo():
    image = np.full((120, 180, 3), 200, np.uint8)
    cv2.circle(image, (60, 60), 16, (200, 20, 30), -1)
    return CADItem("a", 0, "a.jpg", photo=image)


def run(step):
    return step.run(photo(), np.random.default_rng(0)).analysis


def test_things_come_from_the_caption_and_places_from_the_photo():
    found, measured = (
        run(BLIPAnalyzer(Told("a dog sitting on a  beach with a red ball"))),
        run(RuleAnalyzer()),
    )
    assert found.caption == "a dog sitting on a beach with a red ball"
    assert found.within.subject == "a dog" and found.within.elements[:2] == ("a beach", "a red ball")
    assert found.within.elements[2:] == measured.within.elements
    assert found.within.subject_box == measured.within.subject_box is not None
    assert found.within.composition == measured.within.composition
    assert found.beyond.left == measured.beyond.left == "plain light grey"
    assert found.beyond.scene == "the wider scene around a dog sitting on a beach with a red ball"


def test_blip_itself_is_composed_and_deterministic():
    found = run(BLIPAnalyzer(TINY_BLIP))
    assert found.caption and found == run(BLIPAnalyzer(TINY_BLIP))
    assert CompositionAnalysis.from_dict(json.loads(json.dumps(found.as_dict()))) == found


def test_the_fingerprint_is_the_captioners():
    ones = [BLIPAnalyzer(Told(text)).fingerprint for text in ("a", "a", "b")]
    assert ones[0] == ones[1] != ones[2]


def test_an_encoder_without_captions_is_refused():
    with pytest.raises(ValueError, match="WordTextEncoder writes no captions as configured"):
        run(BLIPAnalyzer(WordTextEncoder()))
    with pytest.raises(DropItem, match="nothing to say"):
        run(BLIPAnalyzer(Told("  ")))


@pytest.mark.parametrize(
    ("caption", "things"),
    [
        ("a group of people standing in front of a tall building", ("a group of people", "a tall building")),
        ("two boats, a pier and the sea", ("two boats", "a pier", "the sea")),
        ("there is a cat that is looking at the camera", ("a cat", "the camera")),
        ("mountains", ("mountains",)),
        ("", ()),
    ],
)
def test_things_of_plain_sentences(caption, things):
    assert noun_phrases(caption) == things

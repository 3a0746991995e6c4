"""Captions of BLIP: the likeliest continuation of the prompt, the same in any company."""

import numpy as np
import pytest
import torch
from text_encoder_cases import TINY_BLIP, WRITER, blip_network, photos

from procrop.registry import TEXT_ENCODERS


@pytest.fixture(scope="module")
def images():
    return photos()


@pytest.fixture(scope="module")
def encoder():
    return TEXT_ENCODERS.build(dict(TINY_BLIP, prompt="a photo of", num_beams=1, max_new_tokens=12))


class ByHand:
    """The decoder without transformers' generation: log-likelihoods of the next word, the whole text each time."""

    def __init__(self, encoder, image, prompt):
        self.network, self.tokenizer = blip_network(WRITER), encoder.tokenizer
        _, self.pixels = next(encoder._batches([image]))
        text = self.network.config.text_config
        self.start = [text.bos_token_id, *self.tokenizer(prompt, add_special_tokens=False).input_ids]
        self.end = self.tokenizer.sep_token_id
        self.banned = sorted(
            {*self.tokenizer.all_special_ids, *range(len(self.tokenizer), text.vocab_size)} - {self.end}
        )

    def next(self, words):
        """Log-likelihoods (vocabulary,) after the prompt and ``words``."""
        with torch.no_grad():
            photo = self.network.vision_model(pixel_values=self.pixels).last_hidden_state
            ids = torch.tensor([self.start + words])
            found = self.network.text_decoder(
                input_ids=ids, encoder_hidden_states=photo, is_decoder=True, use_cache=False
            )
        scores = found.logits[0, -1].log_softmax(0)
        scores[self.banned] = -torch.inf
        if not words:
            scores[self.end] = -torch.inf
        return scores

    def spelt(self, words):
        return " ".join(self.tokenizer.decode([w for w in words if w != self.end]).split())


def test_one_beam_takes_the_likeliest_word_each_time(encoder, images):
    for image, caption in zip(images, encoder.caption(images), strict=True):
        hand, words = ByHand(encoder, image, "a photo of"), []
        while len(words) < 12 and words[-1:] != [hand.end]:
            words.append(int(hand.next(words).argmax()))
        assert caption == hand.spelt(words)


def test_a_beam_as_wide_as_the_vocabulary_finds_the_likeliest_pair_of_words(encoder, images):
    size = blip_network(WRITER).config.text_config.vocab_size
    wide = TEXT_ENCODERS.build(dict(TINY_BLIP, prompt="a photo of", num_beams=size, max_new_tokens=2))
    hand = ByHand(encoder, images[0], "a photo of")
    first = hand.next([])
    pairs = torch.stack([score + hand.next([word]) for word, score in enumerate(first)])
    best = divmod(int(pairs.argmax()), size)
    assert wide.caption(images[:1]) == [hand.spelt(best)]


@pytest.mark.parametrize("num_beams", [1, 3])
def test_captions_do_not_depend_on_company_batches_or_repetition(images, num_beams):
    settings = dict(TINY_BLIP, num_beams=num_beams, max_new_tokens=10)
    encoder = TEXT_ENCODERS.build(dict(settings, batch_size=2))
    together = encoder.caption(images)
    assert encoder.caption(images) == together
    assert encoder.caption(images[::-1])[::-1] == together
    assert [caption for image in images for caption in encoder.caption([image])] == together
    again = TEXT_ENCODERS.build(dict(settings, batch_size=8))
    assert again.caption([again.prepare(image) for image in images]) == together
    assert encoder.caption([]) == []


def test_captions_depend_on_the_photo_and_on_the_prompt(images):
    texts = {}
    for prompt in ("a photo of", "tree", ""):
        encoder = TEXT_ENCODERS.build(dict(TINY_BLIP, prompt=prompt, max_new_tokens=10))
        texts[prompt] = encoder.caption(images)
        assert all(text == " ".join(text.split()) != "" for text in texts[prompt])
    assert len(set(texts["a photo of"])) > 1
    assert len({tuple(found) for found in texts.values()}) == 3


def test_an_end_right_away_is_no_caption(images):
    encoder = TEXT_ENCODERS.build(dict(TINY_BLIP, max_new_tokens=4))
    bias = encoder._captioner.network.text_decoder.cls.predictions.bias
    bias[[*encoder.tokenizer.all_special_ids, -1, -2]] = 1e4
    captions = encoder.caption(images)
    assert all(captions) and not any("[" in caption for caption in captions)
    assert all(len(encoder.tokenizer(caption).input_ids) == 3 for caption in captions)


def test_settings_in_a_models_files_do_not_count(encoder, images):
    before = encoder.caption(images)
    network = encoder._captioner.network
    network.generation_config.do_sample = True
    network.generation_config.max_new_tokens = 1
    torch.manual_seed(3)
    assert encoder.caption(images) == before


def test_the_fingerprint_counts_what_changes_a_caption():
    base = TEXT_ENCODERS.build(TINY_BLIP).caption_fingerprint
    assert TEXT_ENCODERS.build(dict(TINY_BLIP, batch_size=2, keep_start=False)).caption_fingerprint == base
    changes = [
        dict(random_weights_seed=1),
        dict(prompt="a photo of"),
        dict(num_beams=2),
        dict(max_new_tokens=29),
        dict(vocabulary=["cat", *TINY_BLIP["vocabulary"][1:]]),
    ]
    prints = {TEXT_ENCODERS.build(dict(TINY_BLIP, **change)).caption_fingerprint for change in changes}
    assert len(prints | {base}) == 1 + len(changes)


def test_captions_can_be_encoded(encoder, images):
    tokens = encoder.encode(images, encoder.caption(images))
    assert all(np.isfinite(array).all() and 2 < len(array) <= encoder.max_tokens for array in tokens)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(num_beams=0), "num_beams and max_new_tokens must be at least 1, not 0 and 30"),
        (dict(max_new_tokens=0), "must be at least 1, not 3 and 0"),
        (dict(max_new_tokens=45), "need 49 places, and random weights has 48; shorten"),
    ],
)
def test_settings_that_cannot_be_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TEXT_ENCODERS.build(dict(TINY_BLIP, prompt="a photo of", **change))

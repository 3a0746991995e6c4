"""Words become directions: the same everywhere, different from each other, whatever stands beside them."""

import numpy as np
import pytest

from procrop.models.text import WordTextEncoder
from procrop.registry import TEXT_ENCODERS


def test_a_word_is_the_same_token_in_every_caption():
    encoder = TEXT_ENCODERS.build(dict(type="WordTextEncoder", token_dim=48))
    first, second = encoder.encode([None, None], ["The dog and the boat", "a boat, THE  dog!"])
    assert first.shape == (5, 48) and second.shape == (4, 48) and first.dtype == np.float16
    assert np.array_equal(first[0], first[3]) and np.array_equal(first[1], second[3])
    assert np.array_equal(first[4], second[1])


def test_words_are_nearly_orthogonal_and_of_one_length():
    words = "dog boat tree house tower car mill arch".split()
    tokens = WordTextEncoder(token_dim=256).encode([None], [" ".join(words)])[0].astype(np.float64)
    gram = tokens @ tokens.T / 256
    assert np.allclose(np.diag(gram), 1, atol=1e-2)
    assert np.abs(gram - np.diag(np.diag(gram))).max() < 0.3


def test_long_captions_are_cut_and_signs_alone_still_have_a_token():
    encoder = WordTextEncoder(token_dim=8, max_tokens=3)
    long, signs = encoder.encode([None, None], ["one two three four five", "?!"])
    assert len(long) == encoder.max_tokens and len(signs) == 1


def test_composed_and_decomposed_letters_are_one_word():
    composed, decomposed = WordTextEncoder().encode(
        [None] * 2, ["B\u00f6ot und Caf\u00e9", "Bo\u0308ot und Cafe\u0301"]
    )
    assert len(composed) == 3 and np.array_equal(composed, decomposed)


def test_the_fingerprint_tells_settings_apart():
    assert WordTextEncoder(8).fingerprint == WordTextEncoder(8).fingerprint
    assert len({WordTextEncoder(8).fingerprint, WordTextEncoder(9).fingerprint}) == 2
    assert WordTextEncoder(8).caption_fingerprint is None


def test_what_cannot_be_encoded_is_named():
    encoder = WordTextEncoder()
    with pytest.raises(ValueError, match="caption 1 is empty"):
        encoder.encode([None, None], ["a dog", "  "])
    with pytest.raises(ValueError, match="2 photos and 1 captions"):
        encoder.encode([None, None], ["a dog"])
    with pytest.raises(ValueError, match="writes no captions"):
        encoder.caption([np.zeros((4, 4, 3), np.uint8)])
    with pytest.raises(ValueError, match="no Unicode text .character 6"):
        encoder.encode([None], ["lone \ud83d surrogate"])
    with pytest.raises(ValueError, match="at least 1"):
        WordTextEncoder(0)

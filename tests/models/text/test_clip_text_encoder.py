"""CLIP's words and patches as tokens: in the joint space, words first, whatever pads a caption."""

import json
import shutil

import numpy as np
import pytest
import torch
from text_encoder_cases import SIDE, TINY_CLIP, exact, photos, save_clip

from procrop.models.text import CLIPTextEncoder
from procrop.registry import TEXT_ENCODERS

CAPTIONS = ["a dog", "a boat by the tree", "x"]
LETTERS = [4, 14, 1]


@pytest.fixture(scope="module")
def encoder():
    return TEXT_ENCODERS.build(TINY_CLIP)


@pytest.fixture(scope="module")
def images():
    return photos()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_clip(tmp_path_factory.mktemp("clip") / "clip")


@pytest.fixture
def broken(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "broken")


def test_words_and_patches_are_in_clips_joint_space(folder, images):
    from transformers import CLIPModel

    encoder = CLIPTextEncoder(folder, token_grid=(4, 4))
    network = CLIPModel.from_pretrained(folder).eval()
    _, pixels = next(encoder._batches(images))
    for i, (caption, tokens) in enumerate(zip(CAPTIONS, exact(encoder, images, CAPTIONS), strict=True)):
        text = encoder.tokenizer([caption], return_tensors="pt")
        with torch.no_grad():
            words = network.text_projection(network.text_model(**text).last_hidden_state)[0, 1:]
            caption_embedding = network.get_text_features(**text).pooler_output[0]
            vision = network.vision_model(pixel_values=pixels[i : i + 1])
            patches = network.visual_projection(
                network.vision_model.post_layernorm(vision.last_hidden_state[0, 1:])
            )
        torch.testing.assert_close(tokens, torch.cat((words, patches)), rtol=0, atol=1e-5)
        torch.testing.assert_close(tokens[LETTERS[i]], caption_embedding, rtol=0, atol=1e-5)


def test_patches_are_averaged_over_cells(images):
    fine, coarse = (
        exact(TEXT_ENCODERS.build(dict(TINY_CLIP, token_grid=grid)), images[:1], ["x"])[0][2:]
        for grid in ((4, 4), (2, 2))
    )
    expected = fine.view(2, 2, 2, 2, -1).mean(dim=(1, 3)).flatten(0, 1)
    torch.testing.assert_close(coarse, expected, rtol=0, atol=1e-5)


def test_shapes_and_what_is_declared(encoder, images):
    found = encoder.encode(images, CAPTIONS)
    assert [tokens.shape for tokens in found] == [(n + 1 + 4, 16) for n in LETTERS]
    assert {tokens.dtype for tokens in found} == {np.dtype(np.float16)}
    assert encoder.token_dim == 16 and encoder.max_tokens == 76 + 4
    assert encoder.prepare(images[0]).shape == (SIDE, SIDE, 3)
    assert encoder.needs_photo and encoder.caption_fingerprint is None
    with pytest.raises(ValueError, match="CLIPTextEncoder writes no captions"):
        encoder.caption(images)


def test_padding_company_and_batches_change_nothing(encoder, images):
    together = exact(encoder, images, CAPTIONS)
    for other in (
        exact(encoder, images, CAPTIONS, pad_to=40),
        exact(encoder, images[::-1], CAPTIONS[::-1])[::-1],
        [exact(encoder, [i], [c])[0] for i, c in zip(images, CAPTIONS, strict=True)],
    ):
        for a, b in zip(other, together, strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    small = TEXT_ENCODERS.build(dict(TINY_CLIP, batch_size=2))
    for a, b in zip(small.encode(images, CAPTIONS), encoder.encode(images, CAPTIONS), strict=True):
        np.testing.assert_allclose(a.astype(np.float32), b.astype(np.float32), rtol=0, atol=2e-3)


def test_long_captions_are_cut_and_keep_their_end(images):
    encoder = TEXT_ENCODERS.build(dict(TINY_CLIP, max_caption_tokens=6))
    long, short = encoder.encode(images[:1] * 2, ["abcdefgh", "abc d"])
    assert len(long) == encoder.max_tokens == 5 + 4 == len(short)
    # the last letter is that of a word's end in one and not in the other
    assert np.abs(long[:2].astype(np.float32) - short[:2].astype(np.float32)).max() < 2e-3


def test_a_saved_network_is_the_same_encoder(folder, images):
    first, second = (CLIPTextEncoder(folder) for _ in range(2))
    for a, b in zip(first.encode(images, CAPTIONS), second.encode(images, CAPTIONS), strict=True):
        assert np.array_equal(a, b)
    changed = [CLIPTextEncoder(folder, token_grid=(3, 4)), CLIPTextEncoder(folder, max_caption_tokens=20)]
    assert len({e.fingerprint for e in (first, second, *changed)}) == 3
    random = TEXT_ENCODERS.build(TINY_CLIP)
    assert random.fingerprint == TEXT_ENCODERS.build(dict(TINY_CLIP, batch_size=3)).fingerprint
    assert random.fingerprint != TEXT_ENCODERS.build(dict(TINY_CLIP, random_weights_seed=1)).fingerprint


def test_plain_torch_weights_with_old_indices_are_taken(broken, folder, images):
    from safetensors.torch import load_file

    state = load_file(broken / "model.safetensors")
    for tower, n in (("text", 77), ("vision", 17)):
        state[f"{tower}_model.embeddings.position_ids"] = torch.arange(n)[None]
    torch.save(state, broken / "pytorch_model.bin")
    (broken / "model.safetensors").unlink()
    assert CLIPTextEncoder(str(broken)).fingerprint == CLIPTextEncoder(folder).fingerprint


@pytest.mark.parametrize("file", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_missing_file_is_named(broken, file):
    (broken / file).unlink()
    with pytest.raises(FileNotFoundError, match=f"broken: the folder has no {file}"):
        CLIPTextEncoder(str(broken))


def test_one_tower_or_other_weights_are_refused(broken):
    path = broken / "config.json"
    held = json.loads(path.read_text())
    path.write_text(json.dumps({**held, "text_config": {**held["text_config"], "num_hidden_layers": 3}}))
    with pytest.raises(ValueError, match=r"model\.safetensors: not weights of a CLIP .*keys missing"):
        CLIPTextEncoder(str(broken))
    path.write_text(json.dumps({**held, "text_config": {**held["text_config"], "vocab_size": 100}}))
    with pytest.raises(ValueError, match="not weights of a CLIP"):
        CLIPTextEncoder(str(broken))
    path.write_text(json.dumps({"model_type": "clip_vision_model"}))
    with pytest.raises(ValueError, match="type 'clip_vision_model'; a whole CLIP, image and text"):
        CLIPTextEncoder(str(broken))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(max_caption_tokens=78), r"max_caption_tokens must be in 3\.\.77, not 78"),
        (dict(token_grid=(0, 2)), "token_grid must be"),
        (dict(model="weights/clip"), "exactly one of model and random_weights_seed"),
        (dict(model="weights/clip", random_weights_seed=None), "config cannot be given with model"),
    ],
)
def test_settings_that_cannot_be_are_named(change, message):
    with pytest.raises(ValueError, match=message):
        TEXT_ENCODERS.build(dict(TINY_CLIP, **change))

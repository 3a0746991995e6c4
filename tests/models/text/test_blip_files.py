"""BLIP out of folders: what transformers wrote comes back exactly, and what does not fit is named."""

import json
import os
import shutil

import numpy as np
import pytest
from text_encoder_cases import MATCHER, TINY_BLIP, WORDS, WRITER, photos, save_blip

from procrop.models.text import BLIPTextEncoder
from procrop.models.text.pretrained_blip import find_blip
from procrop.models.text.tokenizers import character_bert_tokenizer
from procrop.registry import TEXT_ENCODERS


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("blip")
    return save_blip(root / "matcher", MATCHER), save_blip(root / "writer", WRITER)


@pytest.fixture
def broken(folders, tmp_path):
    """A copy of the matcher's folder, to be damaged."""
    return shutil.copytree(folders[0], tmp_path / "broken")


def rewrite(path, change):
    held = json.loads(path.read_text())
    change(held)
    path.write_text(json.dumps(held))


def test_a_saved_network_is_the_same_encoder(folders):
    images = photos()
    random = TEXT_ENCODERS.build(dict(TINY_BLIP, max_new_tokens=8))
    loaded = BLIPTextEncoder(*folders[:1], caption_model=folders[1], max_new_tokens=8)
    assert loaded.fingerprint == random.fingerprint
    assert loaded.caption_fingerprint == random.caption_fingerprint
    captions = random.caption(images)
    assert loaded.caption(images) == captions
    for a, b in zip(loaded.encode(images, captions), random.encode(images, captions), strict=True):
        assert np.array_equal(a, b)


def test_a_vocabulary_alone_is_a_tokenizer(broken, folders):
    expected = BLIPTextEncoder(folders[0]).fingerprint
    vocabulary = character_bert_tokenizer(WORDS).get_vocab()
    (broken / "tokenizer.json").unlink()
    (broken / "vocab.txt").write_text("\n".join(sorted(vocabulary, key=vocabulary.get)))
    assert BLIPTextEncoder(str(broken)).fingerprint == expected


def test_weights_stored_under_both_of_their_names_are_taken(folders, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = shutil.copytree(folders[1], tmp_path / "writer")
    state = load_file(folder / "model.safetensors")
    head = "text_decoder.cls.predictions"
    state[f"{head}.decoder.weight"] = state["text_decoder.bert.embeddings.word_embeddings.weight"].clone()
    state[f"{head}.decoder.bias"] = state[f"{head}.bias"].clone()
    places = len(state["text_decoder.bert.embeddings.position_embeddings.weight"])
    state["text_decoder.bert.embeddings.position_ids"] = state[f"{head}.bias"][:places].clone()
    save_file(state, folder / "model.safetensors")
    settings = dict(token_model=folders[0], max_new_tokens=6)
    images = photos()
    first, second = (BLIPTextEncoder(**settings, caption_model=str(f)) for f in (folders[1], folder))
    assert first.caption_fingerprint == second.caption_fingerprint
    assert first.caption(images) == second.caption(images)


def test_what_old_transformers_wrote_into_descriptions_changes_nothing(folders, tmp_path):
    folder = shutil.copytree(folders[1], tmp_path / "writer")
    legacy = dict(
        architectures=None,
        do_sample=True,
        length_penalty=5.0,
        max_length=7,
        min_length=5,
        no_repeat_ngram_size=1,
        num_beams=2,
        output_attentions=False,
        return_dict=True,
        temperature=3.0,
        top_k=50,
        torch_dtype=None,
        transformers_version="4.26.0.dev0",
        typical_p=1.0,
    )

    def age(held):
        for part in (held, held["text_config"], held["vision_config"]):
            part.update({name: value for name, value in legacy.items() if name != "architectures"})
        held["text_config"].update(architectures=None, dropout=0.0, initializer_factor=1.0)
        held.update(text_config_dict=None, vision_config_dict=None)

    rewrite(folder / "config.json", age)
    images = photos()
    plain, aged = (BLIPTextEncoder(folders[0], caption_model=str(f)) for f in (folders[1], folder))
    assert aged.caption_fingerprint == plain.caption_fingerprint
    assert aged.caption(images) == plain.caption(images)


def test_without_a_caption_model_none_are_written(folders):
    encoder = BLIPTextEncoder(folders[0])
    assert encoder.caption_fingerprint is None
    with pytest.raises(ValueError, match="writes no captions"):
        encoder.caption(photos())


def test_the_caption_model_is_looked_up_at_once_and_loaded_when_needed(folders, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere: no such folder.*hf download"):
        BLIPTextEncoder(folders[0], caption_model=str(tmp_path / "nowhere"))
    encoder = BLIPTextEncoder(folders[0], caption_model=folders[1])
    assert "_captioner" not in vars(encoder)
    assert encoder.caption_fingerprint and "_captioner" in vars(encoder)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config.json", "the folder has no config.json; a BlipForImageTextRetrieval saved by transformers"),
        ("model.safetensors", r"no model\.safetensors;.*pytorch_model\.bin is not read.*save_pretrained"),
        ("tokenizer.json", r"no tokenizer\.json or vocab\.txt; a BERT tokenizer"),
    ],
)
def test_a_missing_file_is_named_with_the_remedy(broken, file, message):
    (broken / file).unlink()
    with pytest.raises(FileNotFoundError, match=message) as caught:
        BLIPTextEncoder(str(broken))
    assert str(broken) in str(caught.value)


@pytest.fixture
def hub(monkeypatch, tmp_path):
    """An empty cache of the hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    return tmp_path / "hub"


def test_a_hub_name_that_is_not_there_says_how_to_fetch_it(hub):
    with pytest.raises(FileNotFoundError, match="hf download nobody/blip --revision abc"):
        BLIPTextEncoder("nobody/blip", "abc")


def test_a_pinned_hub_name_is_taken_from_the_cache(hub, folders):
    commits = ["1" * 40, "2" * 40]
    for commit, folder in zip(
        commits, (folders[0], save_blip(hub.parent / "newer", MATCHER, seed=1)), strict=True
    ):
        shutil.copytree(folder, hub / "models--some--blip" / "snapshots" / commit)
    refs = hub / "models--some--blip" / "refs"
    refs.mkdir()
    (refs / "main").write_text(commits[1])
    pinned, newest = (BLIPTextEncoder("some/blip", revision) for revision in (commits[0], None))
    assert pinned.fingerprint == BLIPTextEncoder(folders[0]).fingerprint != newest.fingerprint
    with pytest.raises(FileNotFoundError, match="hf download some/blip --revision 3333"):
        BLIPTextEncoder("some/blip", "3" * 40)


def test_the_network_for_the_other_purpose_is_refused(folders):
    with pytest.raises(ValueError, match=f"{WRITER}.*for image-text matching a {MATCHER} is needed, such as"):
        BLIPTextEncoder(folders[1])
    with pytest.raises(ValueError, match=f"for captions a {WRITER} is needed"):
        BLIPTextEncoder(folders[0], caption_model=folders[0])


def test_another_kind_of_model_is_refused(broken):
    rewrite(
        broken / "config.json", lambda held: held.update(model_type="blip-2", architectures=["Blip2Model"])
    )
    with pytest.raises(ValueError, match=r"config\.json: describes a model of type 'blip-2' \(Blip2Model\)"):
        BLIPTextEncoder(str(broken))
    (broken / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json: not the description of a model"):
        BLIPTextEncoder(str(broken))


def test_weights_of_another_size_or_head_are_refused(broken, folders):
    rewrite(broken / "config.json", lambda held: held["text_config"].update(num_hidden_layers=1))
    with pytest.raises(ValueError, match=r"model\.safetensors: not weights of a .*unexpected.*Salesforce"):
        BLIPTextEncoder(str(broken))
    shutil.copy(f"{folders[0]}/config.json", broken)
    shutil.copy(f"{folders[1]}/model.safetensors", broken)
    with pytest.raises(ValueError, match="keys missing"):
        BLIPTextEncoder(str(broken))
    (broken / "model.safetensors").write_bytes(b"not weights")
    with pytest.raises(ValueError, match="cannot be read as weights"):
        BLIPTextEncoder(str(broken))


def test_old_descriptions_with_8_heads_are_refused(broken):
    def age(held):
        held["text_config"].update(hidden_size=768)
        del held["text_config"]["num_attention_heads"]  # transformers fills in 8

    rewrite(broken / "config.json", age)
    with pytest.raises(ValueError, match="8 attention heads.*num_attention_heads = 12 under text_config"):
        BLIPTextEncoder(str(broken))


def test_a_tokenizer_of_another_model_is_refused(broken):
    character_bert_tokenizer([*WORDS, "cat", "cow", "car"]).save_pretrained(broken)
    with pytest.raises(ValueError, match=r"the tokenizer \(1\d\d tokens.*does not fit the network"):
        BLIPTextEncoder(str(broken))
    rewrite(broken / "tokenizer.json", lambda held: held.update(model=None))
    with pytest.raises(ValueError, match="tokenizer's files cannot be read as a BertTokenizer"):
        BLIPTextEncoder(str(broken))


def test_revisions_belong_to_hub_names(folders):
    with pytest.raises(ValueError, match="a folder has no revision 'abc'"):
        BLIPTextEncoder(folders[0], "abc")
    with pytest.raises(ValueError, match="caption_revision belongs to a hub name"):
        BLIPTextEncoder(folders[0], caption_revision="abc")


def test_both_networks_see_one_size(folders, tmp_path):
    folder = shutil.copytree(folders[1], tmp_path / "writer")
    rewrite(folder / "config.json", lambda held: held["vision_config"].update(image_size=40))
    with pytest.raises(ValueError, match="sees photos at 40 pixels and .* at 32"):
        BLIPTextEncoder(folders[0], caption_model=str(folder))


def test_nothing_is_written_into_the_folder(folders):
    before = sorted(os.listdir(folders[0]))
    find_blip(MATCHER, folders[0], None, True).build()
    assert sorted(os.listdir(folders[0])) == before

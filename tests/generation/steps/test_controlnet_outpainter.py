"""Stable Diffusion with ControlNet, run for real with tiny random weights."""

import dataclasses
import json
import shutil
import sys

import numpy as np
import pytest
import torch
from canvas_scenes import ANALYSIS, PLAN, item
from PIL import Image

from procrop.generation.known_area import known_mask
from procrop.generation.steps.masks import SuperpixelMasks
from procrop.generation.steps.outpainters import ControlNetOutpainter

pytest.importorskip("diffusers", reason="the extra 'generation' is not installed")
RNG = np.random.default_rng


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    from tiny_diffusion import save_models

    return save_models(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def make(saved):
    def painter(**settings):
        return ControlNetOutpainter(**{"model": saved[0], "controlnet": saved[1], "steps": 2, **settings})

    return painter


@pytest.fixture(scope="module")
def painter(make):
    return make()


@pytest.fixture(scope="module")
def ready():
    """An item with all that the painter works on."""
    return SuperpixelMasks(scales=(4, 12)).run(item(PLAN, analysis=ANALYSIS), RNG(0))


def _outside(image):
    return image[~known_mask(PLAN)].astype(float)


def _changed(first, second):
    return np.abs(_outside(first) - _outside(second)).mean()


def test_the_known_area_is_the_photo_and_the_rest_is_painted(painter, ready):
    image = painter.run(ready, RNG(0)).image
    assert image.shape == (83, 97, 3) and image.dtype == np.uint8  # odd sides
    x1, y1, x2, y2 = PLAN.known
    expected = Image.fromarray(ready.photo).resize(PLAN.known_size, Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(image[y1:y2, x1:x2], np.asarray(expected))
    assert _outside(image).std() > 5 and not painter.stand_in and painter.kept


def test_the_generator_alone_decides(painter, ready, make):
    first = painter.run(ready, RNG(1)).image
    torch.manual_seed(99)  # no other source of randomness
    np.testing.assert_array_equal(first, painter.run(ready, RNG(1)).image)
    np.testing.assert_array_equal(first, make().run(ready, RNG(1)).image)
    assert _changed(first, painter.run(ready, RNG(2)).image) > 1


def test_text_masks_and_canvas_all_have_an_effect(painter, ready, make):
    first = painter.run(ready, RNG(0)).image
    others = {
        "text": ready.with_(analysis=dataclasses.replace(ANALYSIS, caption="Snow")),
        "masks": ready.with_(masks=np.zeros_like(ready.masks)),
        "photo": ready.with_(photo=255 - ready.photo),
    }
    for name, other in others.items():
        assert not np.array_equal(_outside(first), _outside(painter.run(other, RNG(0)).image)), name
    for settings in (dict(negative_prompt="fog"), dict(guidance=2), dict(control_scale=0), dict(steps=3)):
        assert not np.array_equal(_outside(first), _outside(make(**settings).run(ready, RNG(0)).image)), (
            settings
        )
    # without control the masks do not count
    free = make(control_scale=0)
    np.testing.assert_array_equal(free.run(ready, RNG(0)).image, free.run(others["masks"], RNG(0)).image)


def test_each_prompt_mode_is_what_the_analysis_says(make, ready, monkeypatch):
    import procrop.generation.steps.outpainters.prompt_embeddings as module

    seen = []
    real = module.embed_prompts
    monkeypatch.setattr(module, "embed_prompts", lambda *a: seen.append(a[2:]) or real(*a))
    for mode in ("caption", "within", "beyond", "both"):
        make(prompt_mode=mode, negative_prompt="frame").run(ready, RNG(0))
    assert seen == [(ANALYSIS.prompt(mode), "frame") for mode in ("caption", "within", "beyond", "both")]


def test_prompts_are_encoded_as_diffusers_does_and_long_ones_whole(painter):
    from procrop.generation.steps.outpainters.prompt_embeddings import embed_prompts

    pipe = painter.pipeline
    found = embed_prompts(pipe.tokenizer, pipe.text_encoder, "a lake", "fog")
    expected = pipe.encode_prompt("a lake", "cpu", 1, True, "fog")
    for own, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(own, theirs)
    # a byte is a token: 100 letters need two pieces, of which the first is what diffusers would have cut off after
    long = "ab" * 50
    ours, negative = embed_prompts(pipe.tokenizer, pipe.text_encoder, long, "fog")
    assert ours.shape == negative.shape == (1, 154, 16)
    torch.testing.assert_close(ours[:, :77], pipe.encode_prompt(long[:75] + "b" * 20, "cpu", 1, False)[0])
    other = embed_prompts(pipe.tokenizer, pipe.text_encoder, long[:-1] + "c", "fog")[0]
    assert torch.equal(ours[:, :77], other[:, :77]) and not torch.equal(ours[:, 77:], other[:, 77:])
    torch.testing.assert_close(negative[:, 77:], pipe.encode_prompt("", "cpu", 1, False)[0])


def test_a_plain_unet_of_four_channels(tmp_path, ready):
    from tiny_diffusion import save_models

    model, controlnet = save_models(tmp_path, unet_channels=4)
    image = ControlNetOutpainter(model, controlnet, steps=2, dtype="bfloat16").run(ready, RNG(0)).image
    assert _outside(image).std() > 5


def test_settings_reach_the_fingerprint_and_so_do_weights(make, painter, tmp_path, saved):
    changes = [dict(prompt_mode="within"), dict(steps=4), dict(guidance=5), dict(negative_prompt="")]
    changes += [dict(control_scale=0.5), dict(border_reach=0), dict(dtype="float16")]
    prints = [painter.fingerprint, *(make(**change).fingerprint for change in changes)]
    copy = shutil.copytree(saved[0], tmp_path / "sd")
    assert make(model=copy).fingerprint == painter.fingerprint  # a folder's place says nothing
    (copy / "README.md").write_text("not used")
    assert make(model=copy).fingerprint == painter.fingerprint
    weights = copy / "vae" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    prints.append(make(model=copy).fingerprint)
    assert len(set(prints)) == len(prints)


def test_missing_things_are_named(make, ready, saved, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="no such folder. For a model of the hub, give the commit"):
        make(model="someone/model")
    with pytest.raises(ValueError, match="40 hexadecimal digits, not 'main'"):
        make(model="someone/model", revision="main")
    with pytest.raises(FileNotFoundError, match="hf download someone/model --revision 0{40}"):
        make(controlnet="someone/model", controlnet_revision="0" * 40)
    with pytest.raises(ValueError, match="a folder has no revision"):
        make(revision="0" * 40)
    copy = shutil.copytree(saved[0], tmp_path / "sd")
    weights = copy / "unet" / "diffusion_pytorch_model.safetensors"
    shutil.move(weights, weights.with_suffix(".bin"))
    with pytest.raises(
        FileNotFoundError, match="no unet/diffusion_pytorch_model.safetensors in .*save_pretrained"
    ):
        make(model=copy)
    with pytest.raises(ValueError, match="ControlNetOutpainter needs `masks`"):
        make().run(ready.with_(masks=None), RNG(0))
    with pytest.raises(ValueError, match="ControlNetOutpainter needs `analysis`"):
        make().run(ready.with_(analysis=None), RNG(0))
    monkeypatch.setitem(sys.modules, "diffusers", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'procrop\[generation\]'"):
        make()


def test_a_variant_of_the_weights(make, painter, saved, ready, tmp_path):
    folders = [shutil.copytree(folder, tmp_path / folder.name) for folder in saved]
    for folder in folders:
        for weights in folder.rglob("*.safetensors"):
            weights.rename(weights.with_suffix(".fp16.safetensors"))
    with pytest.raises(FileNotFoundError, match="model.safetensors in"):
        make(model=folders[0], controlnet=folders[1])
    found = make(model=folders[0], controlnet=folders[1], variant="fp16")
    np.testing.assert_array_equal(found.run(ready, RNG(0)).image, painter.run(ready, RNG(0)).image)
    assert len(found.fingerprint) == 64


def test_a_hub_name_is_looked_up_in_the_cache(make, painter, saved, tmp_path, monkeypatch):
    # the hub's cache, laid out by hand
    commit = "0123456789abcdef0123456789abcdef01234567"
    snapshot = tmp_path / "models--someone--sd" / "snapshots" / commit
    shutil.copytree(saved[0], snapshot)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    found = make(model="someone/sd", revision=commit)
    assert found.folder == snapshot and found.fingerprint == painter.fingerprint
    (snapshot / "vae" / "config.json").unlink()
    with pytest.raises(
        FileNotFoundError, match="no vae/config.json in .*`hf download someone/sd --revision 0123"
    ):
        make(model="someone/sd", revision=commit)


def test_weights_that_do_not_fit_are_reported(make, ready, saved, tmp_path):
    copy = shutil.copytree(saved[0], tmp_path / "sd")
    (copy / "unet" / "diffusion_pytorch_model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ValueError, match="cannot be loaded as Stable Diffusion and its ControlNet"):
        make(model=copy).run(ready, RNG(0))
    index = json.loads((saved[0] / "model_index.json").read_text())
    assert index["_class_name"] == "StableDiffusionControlNetInpaintPipeline"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (dict(prompt_mode="all"), "prompt_mode must be"),
        (dict(dtype="int8"), "dtype must be"),
        (dict(steps=0), "steps and guidance"),
        (dict(guidance=0.5), "steps and guidance"),
        (dict(border_reach=-1), "border_reach"),
    ],
)
def test_faults(make, settings, message):
    with pytest.raises(ValueError, match=message):
        make(**settings)


def test_a_device_that_is_not_there(make, ready, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)  # wherever the tests run
    with pytest.raises(ValueError, match="torch sees no CUDA device"):
        make(device="cuda").run(ready, RNG(0))


def test_values_that_are_no_numbers_are_refused(make, ready):
    broken = make()
    with torch.no_grad():
        broken.pipeline.vae.decoder.conv_out.bias.fill_(float("nan"))
    with pytest.raises(ValueError, match="no numbers for lake_0; try dtype"):
        broken.run(ready, RNG(0))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device")
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_on_a_gpu(make, ready, dtype):
    painter = make(device="cuda", dtype=dtype)
    first, second = (painter.run(ready, RNG(0)).image for _ in range(2))
    np.testing.assert_array_equal(first, second)
    x1, y1, x2, y2 = PLAN.known
    expected = Image.fromarray(ready.photo).resize(PLAN.known_size, Image.Resampling.LANCZOS)
    np.testing.assert_array_equal(first[y1:y2, x1:x2], np.asarray(expected))
    # the same noise as on a CPU: pictures that are alike
    assert _changed(first, make().run(ready, RNG(0)).image) < 8

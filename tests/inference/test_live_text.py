"""Text of photos that lie in no dataset: captions generated or given, and the model that they steer."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from colour_captions import ColourCaptions
from PIL import Image
from tiny_cropper import write_checkpoint

from procrop.apis.cli import tool_main
from procrop.apis.cropping import command as crop_command
from procrop.datasets import CropDataset
from procrop.datasets.text import Caption, TextPhoto, build_text
from procrop.inference import CropInferencer, LiveText, TextMismatchError
from procrop.models.text import WordTextEncoder

sys.path.append(str(Path(__file__).parents[1] / "models"))

from builders import build, procrop_cfg  # noqa: E402

TEXT = dict(type="LoadTextTokens", folder="gone/text")


def _recorded(config):
    """What a training records of the encoder that ``config`` builds."""
    kinds = {"ColourCaptions": ColourCaptions, "WordTextEncoder": WordTextEncoder}
    encoder = kinds[config["type"]](**{key: value for key, value in config.items() if key != "type"})
    return dict(fingerprint=encoder.fingerprint, token_dim=encoder.token_dim, config=config)


def _tiny(folder, config=None, **options):
    config = config or dict(type="ColourCaptions")
    return write_checkpoint(folder, **dict(text=TEXT, text_meta=_recorded(config)) | options)


def _photo(colour=(20, 40, 200), size=(40, 30)):
    photo = np.full((size[1], size[0], 3), colour, dtype=np.uint8)
    photo[:5, :7] = (250, 120, 10)
    return photo


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A checkpoint of a ProCrop with a text branch, every weight of which counts."""
    torch.manual_seed(0)
    cfg = procrop_cfg(references=False, text=True)
    model = build(cfg)
    for weights in model.parameters():
        weights.data += 0.05 * torch.randn_like(weights)
    text = dict(text=TEXT, text_meta=_recorded(dict(type="ColourCaptions")))
    return write_checkpoint(tmp_path_factory.mktemp("real"), weights=model.state_dict(), **text, **cfg)


def test_a_photo_is_captioned_and_the_model_sees_the_tokens(tmp_path):
    cropper = CropInferencer(_tiny(tmp_path), device="cpu")
    results = list(cropper([_photo(), _photo((200, 40, 20))]))
    assert [result.caption for result in results] == ["something blue", "something red"]
    assert {result.caption_source for result in results} == {"generated"}
    for result, photo, (sample, _) in zip(
        results, [_photo(), _photo((200, 40, 20))], cropper.model.seen, strict=True
    ):
        (tokens,) = ColourCaptions().encode([photo], [result.caption])
        np.testing.assert_array_equal(sample.text_tokens.numpy(), tokens)
        assert sample.text_tokens.dtype == torch.float16 and sample.caption == result.caption


def test_a_given_caption_costs_no_captioning(tmp_path):
    # captions would need a file that is not there
    checkpoint = _tiny(tmp_path, dict(type="ColourCaptions", caption_weights="gone/captions"))
    cropper = CropInferencer(checkpoint, device="cpu")
    (result,) = cropper(_photo(), caption=" the  dog\nand the boat ")
    assert (result.caption, result.caption_source) == ("the dog and the boat", "given")
    (tokens,) = ColourCaptions().encode([_photo()], ["the dog and the boat"])
    np.testing.assert_array_equal(cropper.model.seen[0][0].text_tokens.numpy(), tokens)
    assert cropper.text.encoder.captioned == 0
    with pytest.raises(TextMismatchError, match="gone/captions.*--no-text"):
        cropper([_photo()])  # before any photo


def test_photos_have_captions_of_their_own(tmp_path):
    cropper = CropInferencer(_tiny(tmp_path), device="cpu")
    photos = [_photo(), _photo(), _photo()]
    said = [(r.caption, r.caption_source) for r in cropper(photos, captions=["a dog", None, "a boat"])]
    assert said == [("a dog", "given"), ("something blue", "generated"), ("a boat", "given")]
    said = [r.caption for r in cropper(photos, caption="a sky", captions=["a dog", None, None])]
    assert said == ["a dog", "a sky", "a sky"]
    said = [r.caption for r in cropper((photo for photo in photos), caption="a sky")]
    assert said == ["a sky"] * 3


def test_an_encoder_without_captions_takes_given_ones(tmp_path):
    cropper = CropInferencer(_tiny(tmp_path, dict(type="WordTextEncoder", token_dim=6)), device="cpu")
    assert not cropper.text.writes_captions
    without, given = cropper([_photo(), _photo()], captions=[None, "a dog"])
    assert (without.caption, without.caption_source) == (None, None) and without.rejected is None
    assert given.caption == "a dog"
    assert "text_tokens" not in cropper.model.seen[0][0]
    assert cropper.model.seen[1][0].text_tokens.shape == (2, 6)


def test_a_photo_that_nothing_is_said_of_goes_without_text(tmp_path):
    cropper = CropInferencer(_tiny(tmp_path), device="cpu")
    (result,) = cropper(np.zeros((30, 40, 3), np.uint8))  # the encoder answers with spaces
    assert result.caption is None and result.rejected is None
    assert "text_tokens" not in cropper.model.seen[0][0]


def test_the_encoder_runs_on_the_models_device_where_it_can_choose(tmp_path):
    cropper = CropInferencer(_tiny(tmp_path, dict(type="ColourCaptions", device="meta")), device="cpu")
    assert cropper.text.encoder.device == "cpu"


def _dataset(checkpoint_cfg, path, text):
    """The checkpoint's test pipeline on one photo, as a test run has it."""

    class OnePhoto(CropDataset):
        def load_data_list(self):
            gt = dict(
                gt_bboxes=np.array([[0, 0, 9, 9.0]]), gt_scores=np.ones(1), gt_positives=np.ones(1, bool)
            )
            return [dict(img_path=str(path), img_id="one", source_id="one", **gt)]

    dataset = checkpoint_cfg.test_dataloader.dataset
    return OnePhoto(text=text, pipeline=dataset.pipeline, test_mode=True)


def _crops_of_a_test_run(cropper, path, text):
    from mmengine.registry import DefaultScope

    with DefaultScope.overwrite_default_scope("procrop"):
        data = _dataset(cropper.cfg, path, text)[0]
    batch = dict(inputs=[data["inputs"]], data_samples=[data["data_samples"]])
    with torch.no_grad():
        found = cropper.model.test_step(batch)[0].pred_instances
    return found.bboxes.numpy(), found.scores.numpy()


def test_crops_are_those_of_a_test_run_with_the_captions_tokens(real, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(_photo(size=(120, 90))).save(path)
    given = dict(one=Caption("the dog and the boat"))
    build_text(
        tmp_path / "text", [TextPhoto("one", path)], ColourCaptions(), {"type": "ColourCaptions"}, given
    )
    cropper = CropInferencer(real, device="cpu")
    (result,) = cropper(path, top_k=5, caption="the dog and the boat")
    boxes, scores = _crops_of_a_test_run(cropper, path, TEXT | dict(folder=str(tmp_path / "text")))
    np.testing.assert_array_equal(result.boxes, boxes)
    np.testing.assert_array_equal(result.scores, scores)


def test_generated_captions_are_those_of_the_text_folder(real, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(_photo(size=(120, 90))).save(path)
    table = build_text(
        tmp_path / "text", [TextPhoto("one", path)], ColourCaptions(), {"type": "ColourCaptions"}
    ).table
    cropper = CropInferencer(real, device="cpu")
    (result,) = cropper(path, top_k=5)
    assert result.caption == " ".join(table.lookup("one").caption.split()) == "something blue"
    boxes, _ = _crops_of_a_test_run(cropper, path, TEXT | dict(folder=str(tmp_path / "text")))
    np.testing.assert_array_equal(result.boxes, boxes)


def test_without_text_crops_are_those_of_the_model_with_its_text_dropped(real, tmp_path):
    path = tmp_path / "photo.png"
    Image.fromarray(_photo(size=(120, 90))).save(path)
    made = len(ColourCaptions.made)
    cropper = CropInferencer(real, device="cpu", text=False)
    assert len(ColourCaptions.made) == made and cropper.text is None
    (result,) = cropper(path, top_k=5)
    boxes, scores = _crops_of_a_test_run(cropper, path, None)
    np.testing.assert_array_equal(result.boxes, boxes)
    np.testing.assert_array_equal(result.scores, scores)
    assert result.caption is None and result.caption_source is None


def test_a_caption_moves_the_crops(real):
    cropper = CropInferencer(real, device="cpu")
    one, other, again, own = cropper(
        [_photo(size=(120, 90))] * 4, 1, captions=["a dog", "the boat", "a dog", None]
    )
    (none,) = CropInferencer(real, device="cpu", text=False)(_photo(size=(120, 90)), 1)
    boxes = [result.boxes[0] for result in (one, other, own, none)]
    for i in range(4):
        for j in range(i):
            assert np.abs(boxes[i] - boxes[j]).max() > 0.01, (i, j)
    np.testing.assert_array_equal(one.boxes, again.boxes)


def test_the_same_weights_in_another_place(tmp_path):
    (tmp_path / "old").write_text("weights")
    checkpoint = _tiny(tmp_path, dict(type="ColourCaptions", weights=str(tmp_path / "old")))
    (tmp_path / "old").rename(tmp_path / "new")
    with pytest.raises(
        TextMismatchError, match=r"epoch_1.pth.*ColourCaptions cannot be made.*old"
    ) as refusal:
        CropInferencer(checkpoint, device="cpu")
    assert "--no-text" in str(refusal.value) and "--text-encoder CONFIG" in str(refusal.value)
    moved = dict(type="ColourCaptions", weights=str(tmp_path / "new"))
    (result,) = CropInferencer(checkpoint, device="cpu", text_encoder=moved)(_photo())
    assert result.caption == "something blue"
    assert CropInferencer(checkpoint, device="cpu", text=False).text is None
    (tmp_path / "new").write_text("other weights")
    with pytest.raises(
        TextMismatchError, match=r"epoch_1.pth.*another encoder.*other weights.*--text-encoder"
    ):
        CropInferencer(checkpoint, device="cpu", text_encoder=moved)


def test_an_encoder_of_another_kind_is_refused(tmp_path):
    with pytest.raises(TextMismatchError, match="another encoder .*this WordTextEncoder"):
        CropInferencer(_tiny(tmp_path), device="cpu", text_encoder=dict(type="WordTextEncoder"))
    with pytest.raises(TextMismatchError, match="NoSuchEncoder is not in the .*text encoder registry"):
        CropInferencer(_tiny(tmp_path), device="cpu", text_encoder=dict(type="NoSuchEncoder"))


def test_a_checkpoint_that_does_not_say_its_encoder_needs_one(tmp_path):
    checkpoint = _tiny(tmp_path, text_meta=None)
    with pytest.raises(TextMismatchError, match="does not say which encoder.*--text-encoder"):
        CropInferencer(checkpoint, device="cpu")
    cropper = CropInferencer(checkpoint, device="cpu", text_encoder=dict(type="ColourCaptions"))
    (result,) = cropper(_photo())
    assert result.caption == "something blue"


@pytest.mark.parametrize(
    "settings",
    [dict(text=None, text_meta=None), dict(text=TEXT | dict(folder=None), text_meta=None)],
    ids=["none", "off"],
)
def test_a_model_without_text_takes_none(tmp_path, settings):
    checkpoint = _tiny(tmp_path, **settings)
    cropper = CropInferencer(checkpoint, device="cpu")
    for given in (dict(caption="a dog"), dict(captions=["a dog"])):
        with pytest.raises(
            ValueError, match=r"epoch_1.pth: this model works without text; leave the caption"
        ):
            cropper([_photo()], **given)
    with pytest.raises(ValueError, match="works without text; leave the text encoder out"):
        CropInferencer(checkpoint, device="cpu", text_encoder=dict(type="ColourCaptions"))
    with pytest.raises(ValueError, match="works without text; leave text=True out"):
        CropInferencer(checkpoint, device="cpu", text=True)
    assert CropInferencer(checkpoint, device="cpu", text=False).text is None
    (result,) = cropper(_photo(), captions=[None])
    assert result.caption is None


def test_a_model_that_leaves_its_datas_text_unread_works_without(tmp_path):
    cfg = procrop_cfg(references=False, text=False)
    text = dict(text=TEXT, text_meta=_recorded(dict(type="ColourCaptions")))
    checkpoint = write_checkpoint(tmp_path, weights=build(cfg).state_dict(), **text, **cfg)
    cropper = CropInferencer(checkpoint, device="cpu")
    assert cropper.text is None
    with pytest.raises(ValueError, match="works without text"):
        cropper([_photo()], caption="a dog")


def test_a_model_that_was_tested_without_text_still_takes_it(tmp_path):
    cropper = CropInferencer(_tiny(tmp_path, text=None), device="cpu", text=True)
    (result,) = cropper(_photo(), caption="a dog")
    assert result.caption == "a dog"


def test_arguments_that_contradict_each_other(tmp_path):
    checkpoint = _tiny(tmp_path)
    with pytest.raises(ValueError, match="text=False switches the text off"):
        CropInferencer(checkpoint, device="cpu", text=False, text_encoder=dict(type="ColourCaptions"))
    off = CropInferencer(checkpoint, device="cpu", text=False)
    with pytest.raises(ValueError, match="text is switched off; leave the caption out"):
        off.crop(_photo(), caption="a dog")


def test_a_photo_whose_tokens_overflow_is_rejected_and_the_next_follows(tmp_path):
    cropper = CropInferencer(_tiny(tmp_path), device="cpu")
    encode = cropper.text.encoder.encode
    cropper.text.encoder.encode = lambda images, captions: [
        tokens * np.float16(np.inf) if caption == "too much" else tokens
        for tokens, caption in zip(encode(images, captions), captions, strict=True)
    ]
    first, second = cropper([_photo(), _photo()], captions=["too much", "a dog"])
    assert "no finite float16 numbers" in first.rejected and first.boxes is None or not len(first.boxes)
    assert second.rejected is None and second.caption == "a dog"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(caption=" \n"), "caption is empty"),
        (dict(captions=["a dog", ""]), "caption is empty"),
        (dict(captions=["a dog", 3]), "a caption is a text, not int"),
        (dict(caption="a \ud83d"), "no Unicode text"),
        (dict(captions=["a dog"]), "for each of the 2 photos"),
        (dict(captions="ab"), "for each of the 2 photos"),
    ],
)
def test_captions_are_checked_before_the_first_photo(tmp_path, given, message):
    cropper = CropInferencer(_tiny(tmp_path), device="cpu")
    with pytest.raises(ValueError, match=message):
        cropper([_photo(), _photo()], **given)


def test_the_command_steers_by_caption(real, tmp_path, capsys):
    path = tmp_path / "photo.png"
    Image.fromarray(_photo(size=(120, 90))).save(path)
    config = tmp_path / "text.py"
    config.write_text("text_encoder = dict(type='ColourCaptions')\n")
    common = [str(path), "--checkpoint", str(real), "--device", "cpu", "--top-k", "2"]
    lines = {}
    for name, options in {
        "generated": [],
        "given": ["--caption", "a  dog", "--text-encoder", str(config)],
        "none": ["--no-text"],
    }.items():
        assert tool_main(crop_command, [*common, "--out", str(tmp_path / name), *options]) == 0
        lines[name] = json.loads((tmp_path / name / "crops.jsonl").read_text())
    said = {name: (line["caption"], line["caption_source"]) for name, line in lines.items()}
    assert said == {
        "generated": ("something blue", "generated"),
        "given": ("a dog", "given"),
        "none": (None, None),
    }
    assert len({str(line["crops"][0]["box"]) for line in lines.values()}) == 3
    heights = [Image.open(tmp_path / name / "sheet.png").height for name in ("generated", "given", "none")]
    assert heights[0] == heights[1] > heights[2]
    (tmp_path / "plain").mkdir()
    plain = ["--checkpoint", str(write_checkpoint(tmp_path / "plain")), "--out", str(tmp_path / "not made")]
    assert tool_main(crop_command, [*common, *plain, "--caption", "a dog"]) == 2
    assert (
        "plain/epoch_1.pth: this model works without text; leave the caption out" in capsys.readouterr().err
    )
    assert not (tmp_path / "not made").exists()


def test_an_encoder_that_runs_out_of_memory_rejects_the_photo(tmp_path, monkeypatch):
    cropper = CropInferencer(_tiny(tmp_path), device="cpu")

    def caption(images):
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes")

    monkeypatch.setattr(cropper.text.encoder, "caption", caption)
    (result,) = cropper(_photo())
    assert "memory of cpu" in result.rejected


def test_a_photo_is_prepared_once_and_only_where_it_is_looked_at():
    class Counting(ColourCaptions):
        def prepare(self, image):
            self.prepared = getattr(self, "prepared", 0) + 1
            return image[:2, :7]

    text = LiveText(Counting(), "model.pth")
    assert text.read(_photo()).caption == "something red" and text.encoder.prepared == 1  # of a corner
    words = LiveText(WordTextEncoder(), "model.pth")
    assert words.read(None, "a dog").tokens.shape == (2, 64)

import numpy as np
import pytest
import torch
from PIL import Image
from tiny_cropper import write_checkpoint

from procrop.engine.checkpoint import CheckpointError
from procrop.inference import CropInferencer, GalleryMismatchError


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def test_crops_are_in_pixels_of_the_original_photo(tmp_path, photo):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    (result,) = cropper([photo], top_k=2)
    assert result.path == str(photo) and result.size == (400, 300) and result.rejected is None
    # box i covers the middle (i + 1) / 4 of each side
    np.testing.assert_allclose(result.boxes, [[150, 112.5, 250, 187.5], [100, 75, 300, 225]])
    np.testing.assert_allclose(result.scores, [0.9, 0.8], rtol=1e-6)
    assert result.references == []


def test_the_models_input_goes_through_the_test_pipeline(tmp_path, photo):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    list(cropper([photo]))
    sample, pixels = cropper.model.seen[0]
    assert sample.img_shape == (48, 64) and pixels.shape == (3, 48, 64) and sample.ori_shape == (300, 400)


def test_the_weights_of_the_checkpoint_are_used(tmp_path, photo):
    cropper = CropInferencer(write_checkpoint(tmp_path, scale=0.5), device="cpu")
    (result,) = cropper(photo, top_k=1)
    np.testing.assert_allclose(result.boxes, [[175, 131.25, 225, 168.75]])


def test_arrays_and_files_give_the_same(tmp_path, photo):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    pixels = np.asarray(Image.open(photo))
    of_file, of_array = cropper([photo, pixels])
    np.testing.assert_array_equal(of_file.boxes, of_array.boxes)
    assert of_array.path == "array 1"
    torch.testing.assert_close(cropper.model.seen[0][1], cropper.model.seen[1][1])


def test_bad_photos_are_rejected_and_the_next_one_follows(tmp_path, photo):
    empty = tmp_path / "empty.jpg"
    empty.touch()
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    grey, floats = np.zeros((5, 5), np.uint8), np.zeros((5, 5, 3))
    results = list(
        cropper([tmp_path / "none.jpg", empty, grey, floats, np.zeros((0, 5, 3), np.uint8), photo])
    )
    reasons = [result.rejected for result in results]
    assert "does not exist" in reasons[0] and "zero bytes" in reasons[1]
    assert all("(H, W, 3) uint8" in reason for reason in reasons[2:5])
    assert reasons[5] is None and len(results[5].boxes) == 3


def test_results_come_one_by_one(tmp_path, photo):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    results = cropper([photo, photo, photo])
    next(results)
    assert len(cropper.model.seen) == 1


@pytest.mark.parametrize("size", [(1, 1), (80, 2), (20, 900)])
def test_photos_of_extreme_shape(tmp_path, size):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    (result,) = cropper(np.zeros((size[1], size[0], 3), np.uint8), top_k=4)
    assert len(result.boxes) == 4
    assert (result.boxes[:, 2:] > result.boxes[:, :2]).all() and (result.boxes[:, 2:] <= size).all()


def test_a_strip_that_vanishes_at_the_models_input_size_is_rejected(tmp_path):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    (result,) = cropper(np.zeros((1, 800, 3), np.uint8))
    assert "800 x 1" in result.rejected


def test_crops_that_are_no_numbers_are_left_out(tmp_path, photo):
    cropper = CropInferencer(write_checkpoint(tmp_path, spoil="nan"), device="cpu")
    (result,) = cropper(photo, top_k=4)
    np.testing.assert_allclose(result.scores, [0.7, 0.6], rtol=1e-6)
    assert np.isfinite(result.boxes).all()


@pytest.mark.parametrize(("spoil", "reason"), [("all nan", "no usable crop"), ("memory", "memory of cpu")])
def test_a_photo_that_the_model_cannot_crop_is_rejected(tmp_path, photo, spoil, reason):
    cropper = CropInferencer(write_checkpoint(tmp_path, spoil=spoil), device="cpu")
    (result,) = cropper(photo)
    assert reason in result.rejected and result.size == (400, 300)


def test_a_fault_of_the_program_is_not_hidden(tmp_path, photo):
    cropper = CropInferencer(write_checkpoint(tmp_path, spoil="bug"), device="cpu")
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        list(cropper(photo))


@pytest.mark.parametrize(("top_k", "message"), [(0, "at least 1"), (5, "predicts 4 crops")])
def test_top_k_is_checked_before_the_first_photo(tmp_path, photo, top_k, message):
    cropper = CropInferencer(write_checkpoint(tmp_path), device="cpu")
    with pytest.raises(ValueError, match=message):
        cropper(photo, top_k=top_k)


def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path):
    path = write_checkpoint(tmp_path)
    content = torch.load(path)
    content["state_dict"]["other.weight"] = torch.zeros(2)
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="other.weight"):
        CropInferencer(path, device="cpu")


def test_a_checkpoint_without_config_or_without_test_pipeline_is_refused(tmp_path):
    path = write_checkpoint(tmp_path)
    content = torch.load(path)
    content["meta"] = dict(cfg="default_scope = 'procrop'\nmodel = dict(type='TinyCropper')")
    torch.save(content, path)
    with pytest.raises(ValueError, match="no test pipeline"):
        CropInferencer(path, device="cpu")
    content["meta"] = {}
    torch.save(content, path)
    with pytest.raises(CheckpointError, match="no config"):
        CropInferencer(path, device="cpu")


@pytest.mark.parametrize("device", ["no such device", "cuda:99"])
def test_an_impossible_device_is_named(tmp_path, device):
    with pytest.raises(ValueError, match=device):
        CropInferencer(write_checkpoint(tmp_path), device=device)


def test_a_model_without_references_takes_no_gallery(tmp_path):
    with pytest.raises(ValueError, match="without references"):
        CropInferencer(write_checkpoint(tmp_path), gallery=tmp_path, device="cpu")


def _trained_with(gallery, fingerprint=None):
    """Arguments of a checkpoint that was trained with references of ``gallery``."""
    return dict(
        references=dict(
            type="LoadReferences", gallery=str(gallery.folder), table="gone.npz", k=4, what="image"
        ),
        retrieval=dict(fingerprint=fingerprint or gallery.fingerprint, token_shape=gallery.token_shape),
    )


def test_references_are_the_nearest_photos_of_the_gallery(tmp_path, gallery):
    cropper = CropInferencer(write_checkpoint(tmp_path, **_trained_with(gallery)), device="cpu")
    query = np.ascontiguousarray(np.asarray(Image.open(gallery.photo_path(5)))[2:])
    (result,) = cropper(query, top_k=1)
    # independent of the gallery's index: cosine of the encoder's own keys
    photos = [np.asarray(Image.open(gallery.photo_path(i))) for i in range(12)]
    keys = gallery.backbone().encode([query, *photos]).keys.astype(np.float64)
    keys /= np.linalg.norm(keys, axis=1, keepdims=True)
    cosine = keys[1:] @ keys[0]
    expected = np.argsort(-cosine)[:4]
    assert [ref.id for ref in result.references] == expected.tolist() and expected[0] == 5
    np.testing.assert_allclose([ref.score for ref in result.references], cosine[expected], atol=1e-5)
    assert result.references[0].name == "p05.png"
    assert result.references[0].path == str(gallery.photo_path(5))
    np.testing.assert_allclose(max(result.scores), max(0.8, cosine[5] / 2), atol=1e-5)
    seen = cropper.model.seen[0][0].references
    np.testing.assert_array_equal(seen.tokens.numpy(), gallery.tokens(expected))


@pytest.mark.parametrize("copied", [False, True])
def test_a_gallery_photo_is_never_its_own_reference(tmp_path, gallery, copied):
    cropper = CropInferencer(write_checkpoint(tmp_path, **_trained_with(gallery)), device="cpu", k=12)
    path = gallery.photo_path(5)
    if copied:
        path = tmp_path / "other name.png"
        path.write_bytes(gallery.photo_path(5).read_bytes())
    (result,) = cropper(path)
    assert {ref.id for ref in result.references} == set(range(12)) - {4, 5}  # 4 is of the same source
    mask = cropper.model.seen[0][0].references.mask
    assert mask.tolist() == [False] * 10 + [True] * 2


def test_k_and_gallery_can_be_chosen(tmp_path, gallery):
    settings = _trained_with(gallery)
    settings["references"]["gallery"] = "was here once"
    path = write_checkpoint(tmp_path, **settings)
    cropper = CropInferencer(path, gallery=gallery.folder, k=2, device="cpu")
    (result,) = cropper(np.zeros((30, 40, 3), np.uint8))
    assert len(result.references) == 2


def test_a_gallery_of_another_encoder_is_refused_with_the_remedy(tmp_path, gallery):
    path = write_checkpoint(tmp_path, **_trained_with(gallery, fingerprint="0" * 64))
    with pytest.raises(GalleryMismatchError, match="another encoder") as refusal:
        CropInferencer(path, device="cpu")
    command = f"procrop gallery build {gallery.folder} --photos PHOTOS --retrieval {path}"
    assert command in str(refusal.value)


def test_a_folder_of_photos_is_no_gallery_and_the_remedy_makes_one_beside_it(tmp_path, gallery):
    path = write_checkpoint(tmp_path, **_trained_with(gallery))
    album = tmp_path / "my album"
    draw = album / "below" / "a.JPG"
    draw.parent.mkdir(parents=True)
    draw.touch()
    with pytest.raises(GalleryMismatchError, match="a folder of photos, and no gallery") as refusal:
        CropInferencer(path, gallery=album, device="cpu")
    command = f"procrop gallery build '{album}_gallery' --photos '{album}' --retrieval {path}"
    assert str(refusal.value).endswith(command)


def test_tokens_of_another_shape_are_refused(tmp_path, gallery):
    settings = _trained_with(gallery)
    settings["retrieval"]["token_shape"] = (64, 112)
    with pytest.raises(GalleryMismatchError, match=r"\(64, 112\)"):
        CropInferencer(write_checkpoint(tmp_path, **settings), device="cpu")


def test_a_missing_gallery_is_named_with_the_remedy(tmp_path, gallery):
    path = write_checkpoint(tmp_path, **_trained_with(gallery))
    with pytest.raises(GalleryMismatchError, match="nowhere: no such gallery.*procrop gallery build nowhere"):
        CropInferencer(path, gallery="nowhere", device="cpu")

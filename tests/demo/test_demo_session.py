"""What a visitor can do, without a browser: one embedding per photo, and nothing of others."""

import json
import zipfile

import numpy as np
import pytest
from demo_parts import write_photo
from PIL import Image

from procrop.demo import DemoLimits, DemoOptions, DemoSession, SessionEndedError, SharedCropper
from procrop.inference import CropInferencer, CropRequest, ReferenceChoice


@pytest.fixture(scope="module")
def cropper(demo_model, gallery, second_gallery):
    inferencer = CropInferencer(demo_model, gallery.folder, device="cpu", k=4)
    return SharedCropper(
        inferencer, {"first": gallery.folder, "second": second_gallery}, DemoLimits(photos=3)
    )


@pytest.fixture
def passes(cropper):
    """Photos that went through the image backbone, one entry each."""
    counted = []
    hook = cropper._cropper.model.backbone.register_forward_hook(lambda *_: counted.append(1))
    yield counted
    hook.remove()


@pytest.fixture
def session(cropper, tmp_path):
    (tmp_path / "session").mkdir()
    session = DemoSession(cropper, tmp_path / "session")
    yield session
    session.close()


def names(result):
    return [reference.name for reference in result.references]


def test_one_embedding_whatever_is_asked(
    session, cropper, demo_model, gallery, second_gallery, tmp_path, passes
):
    upload = write_photo(tmp_path / "a.png")
    session.add(upload, "a.png")
    free = session.view()
    assert passes == [1] and len(free.boxes) == 3 and free.attention is not None
    session.set_options(DemoOptions("1:1", 2))
    square = session.view()
    sides = square.boxes[:, 2:] - square.boxes[:, :2]
    np.testing.assert_array_equal(sides[:, 0], sides[:, 1])
    far = sorted(set(gallery.names) - set(names(square)))[-1]
    near = names(square)[0]
    session.pin(far)
    session.ban(near)
    chosen = session.view()
    assert names(chosen)[0] == far and near not in names(chosen) and session.message == ""
    session.set_options(DemoOptions("1:1", 2, "second"))
    other = session.view()
    assert set(names(other)) <= {f"p{number}.png" for number in range(12, 20)}
    assert session.choice == ReferenceChoice()  # pins belong to a gallery
    session.set_options(DemoOptions(None, 3, "first"))
    session.release_all()
    again = session.view()
    assert passes == [1]
    fresh = CropInferencer(demo_model, gallery.folder, device="cpu", k=4)
    for answer, request in (
        (free, CropRequest()),
        (again, CropRequest()),
        (square, CropRequest(2, "1:1")),
        (chosen, CropRequest(2, "1:1", references=ReferenceChoice(pinned=(far,), banned=(near,)))),
    ):
        expected = fresh.crop(upload, request=request)
        np.testing.assert_array_equal(answer.boxes, expected.boxes)
        np.testing.assert_array_equal(answer.scores, expected.scores)
        assert answer.references == expected.references
    assert not np.array_equal(square.boxes, chosen.boxes) and not np.array_equal(square.boxes, other.boxes)
    np.testing.assert_array_equal(free.image, np.asarray(Image.open(upload)))


def test_pins_and_bans_hold_for_all_photos_and_can_be_taken_back(session, tmp_path):
    for seed in (0, 1):
        session.add(write_photo(tmp_path / f"{seed}.png", seed), f"{seed}.png")
    before = names(session.view())
    session.ban(before[0])
    session.pin(before[2])
    session.choose("p2")
    assert names(session.view())[0] == before[2] and before[0] not in names(session.view())
    assert [name for name, path in session.banned()] == [before[0]]
    assert session.banned()[0][1].endswith(before[0])
    session.pin(before[0])  # a banned one is pinned: banned no longer
    assert session.choice == ReferenceChoice(pinned=(before[2], before[0]))
    session.ban(before[0])
    session.release(before[0])
    session.release(before[2])
    session.choose("p1")
    assert names(session.view()) == before


def test_what_cannot_be_had_is_told_and_changes_nothing(session, gallery, tmp_path):
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    before = session.view()
    for name in gallery.names[:5]:
        session.pin(name)
    assert "4 references are pinned, and the model takes no more" in session.message
    assert session.choice.pinned == tuple(gallery.names[:4])
    session.release_all()
    session.set_options(DemoOptions("16:0", 3))
    assert "above 0" in session.message and session.options.ratio is None
    session.set_options(DemoOptions("sixteen", 3))
    assert "is no aspect ratio" in session.message
    session.set_options(DemoOptions(None, 3, "third"))
    assert "no gallery 'third'; there are first, second" in session.message
    session.pin("p99.png")
    assert "no photo 'p99.png'" in session.message and session.choice == ReferenceChoice()
    session.choose("p7")
    assert "not here any more" in session.message
    np.testing.assert_array_equal(session.view().boxes, before.boxes)
    for name in gallery.names:  # no reference is left, and there are crops all the same
        session.ban(name)
    assert session.view().references == [] and len(session.view().boxes) == 3
    assert session.message == ""


def test_broken_photos_say_why_beside_the_good_ones(session, tmp_path, passes):
    good = write_photo(tmp_path / "good.jpg", quality=90)
    files = {
        "cut.jpg": good.read_bytes()[:2000],
        "empty.jpg": b"",
        "page.html": b"<html>" * 50,
        "big.jpg": good.read_bytes() + bytes(31 * 2**20),
        "bomb.ppm": b"P6 60000 60000 255\n" + bytes(200),
    }
    reasons = {}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
        reasons[name] = session.add(tmp_path / name, name).rejected
    session.add(good, "good.jpg")
    session.refuse("huge.tif", "its file of 900.0 MB is larger than the limit of 30 MB")
    assert "truncated or damaged" in reasons["cut.jpg"] and "empty" in reasons["empty.jpg"]
    assert "no image of a known format" in reasons["page.html"]
    assert reasons["big.jpg"] == "its file of 31.0 MB is larger than the limit of 30 MB"
    assert "60000 x 60000 pixels are more than the limit of 100000000" in reasons["bomb.ppm"]
    assert session.photos[session.chosen].name == "good.jpg" and passes == [1]
    assert sorted(path.name for path in session.folder.iterdir()) == [session.chosen]
    session.choose("p1")
    assert "not here any more" in session.message and session.photos[session.chosen].name == "good.jpg"


def test_no_more_photos_than_the_limit_and_a_photo_can_be_removed(session, tmp_path):
    for seed in range(4):
        session.add(write_photo(tmp_path / f"{seed}.png", seed), "a.png")
    shown = [photo.name for photo in session.photos.values()]
    assert shown == ["a.png", "a (2).png", "a (3).png", "a (4).png"]
    assert session.photos["p4"].rejected == "there are 3 photos here already, which is the limit; remove some"
    session.remove("p1")
    session.remove("p1")
    assert session.chosen == "p2" and not (session.folder / "p1").exists()
    assert session.add(write_photo(tmp_path / "4.png", 4), "b.png").rejected is None
    for number in range(9):  # those that were refused do not pile up
        session.refuse("c.png", str(number))
    rejected = [photo.rejected for photo in session.photos.values() if photo.rejected]
    assert rejected == ["6", "7", "8"]


def test_a_crop_is_cut_from_the_file_with_what_it_holds(session, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "Ada"
    upload = write_photo(tmp_path / "up.jpg", exif=exif, quality=93, dpi=(300, 300))
    photo = session.add(upload, "Ostsee/größe:1.JPG")
    assert photo.size == (240, 320) and photo.name == "größe_1.JPG"
    session.set_options(DemoOptions("4:5", 2))
    result = session.view()
    path = session.write_crop(photo.id, photo.number, 1)
    written = Image.open(path)
    x1, y1, x2, y2 = result.boxes[1].astype(int)
    assert path.name == "größe_1_2.jpg" and written.size == (x2 - x1, y2 - y1)
    assert written.getexif()[0x013B] == "Ada" and written.getexif().get(0x0112, 1) == 1
    assert written.info["dpi"] == (300, 300)
    assert sorted(written.quantization[0]) == sorted(
        Image.open(upload).quantization[0]
    )  # turned with the photo
    difference = np.abs(np.asarray(written).astype(int) - result.cut(1)).mean()
    assert difference < 2
    with pytest.raises(SessionEndedError, match="the crops have changed"):
        session.write_crop(photo.id, photo.number - 1, 0)
    with pytest.raises(SessionEndedError, match="the crops have changed"):
        session.write_crop(photo.id, photo.number, 2)
    with pytest.raises(SessionEndedError, match="not here any more"):
        session.write_crop("../p1", 1, 0)


def test_a_zip_of_all_crops_answers_what_is_asked_now(session, tmp_path, passes):
    (tmp_path / "cut.jpg").write_bytes(b"\xff\xd8\xff")
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    session.add(tmp_path / "cut.jpg", "cut.jpg")
    session.add(write_photo(tmp_path / "b.tif", 1, compression="tiff_lzw"), "b.tif")
    session.set_options(DemoOptions("1:1", 2))
    archive = session.write_archive()
    assert passes == [1, 1]
    with zipfile.ZipFile(archive) as opened:
        assert opened.namelist() == ["a_1.png", "a_2.png", "b_1.tif", "b_2.tif", "crops.jsonl"]
        lines = [json.loads(line) for line in opened.read("crops.jsonl").splitlines()]
        for line in lines:
            for crop in line["crops"]:
                with opened.open(crop["file"]) as file:
                    width, height = Image.open(file).size
                assert width == height == crop["box"][2] - crop["box"][0]
    assert [line["name"] for line in lines] == ["a.png", "b.tif"]
    assert str(tmp_path) not in json.dumps(lines) and "gallery" not in json.dumps(lines)
    assert [path.name for path in archive.parent.iterdir()] == ["crops.zip"]
    with pytest.raises(SessionEndedError):
        empty = tmp_path / "empty"
        empty.mkdir()
        DemoSession(session.cropper, empty).write_archive()


def test_a_photo_that_was_let_go_for_memory_is_embedded_again(cropper, session, tmp_path, passes):
    session.add(write_photo(tmp_path / "a.png"), "a.png")
    before = session.view()
    cropper.forget(session._key(session.photos["p1"]))
    after = session.view()  # the answer is known, the photo itself is read again
    assert passes == [1, 1]
    np.testing.assert_array_equal(before.boxes, after.boxes)
    np.testing.assert_array_equal(before.image, after.image)


def test_equal_uploads_of_two_visitors_do_not_disturb_each_other(cropper, session, tmp_path):
    upload = write_photo(tmp_path / "a.png")
    (tmp_path / "other").mkdir()
    other = DemoSession(cropper, tmp_path / "other")
    session.add(upload, "mine.png")
    other.add(upload, "theirs.png")
    other.set_options(DemoOptions("1:1", 1))
    other.ban(names(other.view())[0])
    assert session.choice == ReferenceChoice() and session.options == DemoOptions(None, 3, "first")
    assert [photo.name for photo in session.photos.values()] == ["mine.png"]
    assert session.token != other.token and len(other.token) >= 32
    other.close()
    assert not (tmp_path / "other").exists() and (session.folder / "p1").is_file()
    assert len(session.view().boxes) == 3
    with pytest.raises(SessionEndedError, match="not here any more"):
        other.add(upload, "late.png")
    with pytest.raises(SessionEndedError):
        other.write_crop("p1", 1, 0)


def test_the_photo_itself_is_never_its_reference(session, gallery):
    """A copy of a gallery photo is known by its content."""
    session.add(gallery.photo_path(3), "copy.png")
    own = gallery.names[3]
    session.pin(own)
    result = session.view()
    assert own not in names(result) and f"{own} is not pinned" in result.notes[0]

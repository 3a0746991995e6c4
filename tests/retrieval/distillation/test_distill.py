"""A distillation from end to end, with a teacher of colours and places."""

import dataclasses

import numpy as np
import pytest
from colour_backbone import draw_photos
from distilled_gallery import QUICK, GuardedTeacher, TeacherBuilt, make_gallery

from procrop.io.photo import read_photo
from procrop.networks import epoch_trainer
from procrop.retrieval import Gallery, distill_keys
from procrop.retrieval.distillation.chunk_cache import cached_rows
from procrop.retrieval.distillation.distill import DistillError
from procrop.retrieval.distillation.measure import Held, measure_speed
from procrop.retrieval.distillation.photos import DistillPhoto, collect_photos, held_out
from procrop.retrieval.distillation.report import report_text
from procrop.retrieval.distilled_key_file import read_distilled_keys


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("distill")
    make_gallery(root)
    draw_photos(root / "more", 40, seed=1)
    return root


@pytest.fixture(scope="module")
def gallery(root):
    return Gallery.open(root / "gallery")


@pytest.fixture(scope="module")
def found(root, gallery):
    """A distillation on 60 gallery photos and 40 further ones."""
    return distill_keys(gallery, root / "small.safetensors", [root / "more"], QUICK, say=lambda line: None)


def test_it_learns_where_the_teacher_puts_photos(found):
    at_ten = {name: figures["recall@10"] for name, figures in found.recalls.items()}
    assert found.counts == {"gallery": 60, "further": 40, "held out": 20, "rejected": 0}
    assert at_ten["student"] > 2.5 * at_ten["random"]
    assert at_ten["student"] > at_ten["linear"]
    assert at_ten["student"] >= at_ten["start"] - 0.03


@pytest.mark.parametrize(("after", "kept"), [(0.6, "trained"), (0.5, "start")])
def test_training_is_kept_if_it_helps_watched_photos(root, gallery, monkeypatch, after, kept):
    settings = dataclasses.replace(QUICK, epochs=2, learning_rate=3e-3)
    found = [0.5, after]
    recall = Held.recall

    def watched(self, student, k):
        # 60 photos: 12 are tested, 10 watched
        return recall(self, student, k) if len(student) == 12 else found.pop(0)

    monkeypatch.setattr(Held, "recall", watched)
    out = root / "other.safetensors"
    done = distill_keys(
        gallery, out, settings=settings, overwrite=True, speed_photos=0, say=lambda line: None
    )
    assert not found and done.training["kept"] == kept
    head = {
        name: value for name, value in read_distilled_keys(out).state.items() if name.startswith("head.outer")
    }
    assert all(bool(value.any()) == (kept == "trained") for value in head.values())
    if kept == "start":
        assert done.recalls["student"] == pytest.approx(done.recalls["start"], abs=0.01)
        assert "was kept as it was before training" in report_text(done, "g", "", 1)


def test_the_figure_is_what_a_search_of_the_gallery_gives(found, root, gallery):
    """Recall again, by hand: both encoders on the held-out files, through the gallery's own search."""
    photos, _ = collect_photos(gallery, [root / "more"])
    tested = [p for p, t in zip(photos, held_out(photos, QUICK.val_share, QUICK.seed), strict=True) if t]
    small = Gallery.open(gallery.folder).use_query_encoder(found.out)
    images = [read_photo(p.path) for p in tested]
    own = [[p.source_id] for p in tested]
    wanted, _ = gallery.search(images, 10, own)
    got, _ = small.search(images, 10, own)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(wanted, got, strict=True)])
    assert recall == pytest.approx(found.recalls["student"]["recall@10"], abs=0.011)


def test_the_gallerys_own_photos_need_no_teacher(root, gallery, monkeypatch):
    monkeypatch.setattr(GuardedTeacher, "forbidden", True)
    settings = dataclasses.replace(QUICK, epochs=1)
    run = dict(settings=settings, overwrite=True, speed_photos=0, say=lambda line: None)
    distill_keys(Gallery.open(gallery.folder), root / "other.safetensors", **run)
    with pytest.raises(TeacherBuilt):
        distill_keys(
            Gallery.open(gallery.folder),
            root / "b.safetensors",
            [root / "more"],
            settings,
            say=lambda line: None,
        )


def test_further_photos_are_encoded_once(root, found, monkeypatch):
    monkeypatch.setattr(GuardedTeacher, "encoded", 0)
    again = Gallery.open(root / "gallery")
    settings = dataclasses.replace(QUICK, epochs=1, seed=5)
    distill_keys(
        again, found.out, [root / "more"], settings, overwrite=True, speed_photos=0, say=lambda line: None
    )
    assert GuardedTeacher.encoded == 0


@pytest.mark.parametrize("stop", [7])
def test_resumed_is_the_same_as_uninterrupted(root, gallery, monkeypatch, stop):
    whole, cut = root / f"whole{stop}.safetensors", root / f"cut{stop}.safetensors"
    run = dict(settings=QUICK, speed_photos=0, say=lambda line: None)
    distill_keys(gallery, whole, **run)
    monkeypatch.setattr(epoch_trainer, "_SAVE_EVERY", 0.0)

    def interrupted(epochs, *args, **kwargs):
        for epoch in epochs:
            if epoch == stop:
                raise KeyboardInterrupt
            yield epoch

    with monkeypatch.context() as patch:
        patch.setattr(epoch_trainer, "progress", interrupted)
        with pytest.raises(KeyboardInterrupt):
            distill_keys(gallery, cut, **run)
    assert not cut.exists()
    seen = []
    run["say"] = seen.append
    distill_keys(gallery, cut, resume=True, **run)
    epochs = [int(line.split()[1].split("/")[0]) for line in seen if line.startswith("epoch")]
    assert epochs[0] == stop + 1 and epochs[-1] == QUICK.epochs
    assert cut.read_bytes() == whole.read_bytes()
    # whichever head was kept, the trained ones agree too
    states = [p.with_name(f"{p.name}.cache") / "training.safetensors" for p in (cut, whole)]
    assert states[0].read_bytes() == states[1].read_bytes()
    # what is finished ends at once
    seen.clear()
    distill_keys(gallery, cut, resume=True, **run)
    assert not [line for line in seen if line.startswith("epoch")]


def test_resume_refuses_another_run_and_damage(root, gallery):
    out = root / "r.safetensors"
    run = dict(speed_photos=0, say=lambda line: None)
    quick = dataclasses.replace(QUICK, views=1)
    distill_keys(gallery, out, settings=dataclasses.replace(quick, epochs=1), **run)
    with pytest.raises(DistillError, match="other settings.*leave --resume out"):
        distill_keys(gallery, out, settings=dataclasses.replace(quick, epochs=2), resume=True, **run)
    out.unlink()
    state = root / "r.safetensors.cache" / "training.safetensors"
    state.write_bytes(state.read_bytes()[:1000])
    with pytest.raises(DistillError, match="training.safetensors: damaged"):
        distill_keys(gallery, out, settings=dataclasses.replace(quick, epochs=1), resume=True, **run)


def test_an_existing_file_is_kept_unless_asked(root, gallery, tmp_path):
    out = tmp_path / "x.safetensors"
    out.write_bytes(b"mine")
    with pytest.raises(DistillError, match="exists; give --overwrite"):
        distill_keys(gallery, out)
    with pytest.raises(DistillError, match="ends in .safetensors"):
        distill_keys(gallery, tmp_path / "x.pth")
    assert out.read_bytes() == b"mine"


def test_a_gallery_that_is_held_out_almost_whole_is_refused(root, gallery):
    settings = dataclasses.replace(QUICK, val_share=0.95)
    with pytest.raises(DistillError, match="1 of its photos are left.*smaller val_share"):
        distill_keys(
            gallery, root / "other.safetensors", settings=settings, overwrite=True, say=lambda line: None
        )


def test_a_diverging_run_says_so(root, gallery):
    settings = dataclasses.replace(QUICK, learning_rate=1e30, epochs=3)
    with pytest.raises(DistillError, match="lower the learning rate"):
        distill_keys(
            gallery, root / "other.safetensors", settings=settings, overwrite=True, say=lambda line: None
        )


def test_unreadable_further_photos_are_set_aside(root, gallery, tmp_path):
    photos = draw_photos(tmp_path / "some", 3, seed=9)
    (photos / "bad.png").write_bytes((photos / "p000.png").read_bytes()[:60])
    settings = dataclasses.replace(QUICK, epochs=1, views=1)
    found = distill_keys(
        gallery, tmp_path / "s.safetensors", [photos], settings, speed_photos=0, say=lambda line: None
    )
    assert found.counts["further"] == 3 and found.counts["rejected"] == 1
    assert found.rejected[0][0].endswith("bad.png")
    text = report_text(found, "g", "python tools/distill_keys.py g", 1)
    assert "bad.png" in text and "recall@10" in text and "| the student, as it was kept |" in text


def photos_of(n):
    return [DistillPhoto(f"{i}.png", f"{i:016x}", str(i)) for i in range(n)]


def test_a_killed_pass_goes_on_with_the_next_chunk(tmp_path):
    made = []

    def make(chunk):
        if len(made) == 2:
            raise KeyboardInterrupt
        made.append(len(chunk))
        return np.array([[p.number, 1] for p in chunk], np.float32)

    with pytest.raises(KeyboardInterrupt):
        cached_rows(tmp_path, ["a"], photos_of(70), make, "")
    made[:] = [0]
    rows = cached_rows(tmp_path, ["a"], photos_of(70), make, "")
    assert made == [0, 6] and rows[:, 0].tolist() == list(range(70))
    # a damaged chunk is made again, another maker shares nothing
    path = next(tmp_path.glob("*.npz"))
    path.write_bytes(path.read_bytes()[:-30])
    made[:] = []
    assert cached_rows(tmp_path, ["a"], photos_of(70), make, "")[:, 0].tolist() == list(range(70))
    assert len(made) == 1
    made[:] = [0]
    cached_rows(tmp_path, ["b"], photos_of(20), make, "")
    assert made == [0, 20]


def test_recall_by_hand():
    keys = np.eye(6, dtype=np.float32)
    teacher = np.array([[9, 8, 7, 0, 0, 0], [0, 0, 1, 2, 3, 0]], np.float32)
    student = np.array([[9, 0, 7, 8, 0, 0], [0, 0, 1, 2, 3, 0]], np.float32)
    held = Held(teacher, np.array([100, 3]), keys, np.arange(6), "inner_product")
    # first query: {0, 1, 2} against {0, 3, 2}; second without photo 3: {4, 2, 0} both
    assert held.recall(student, 3) == pytest.approx((2 / 3 + 1) / 2)
    assert held.random_recall(3) == pytest.approx((3 / 6 + 3 / 5) / 2)
    assert held.recall(student, 50) == 1


def test_speed_is_the_ratio_of_both():
    slow, fast = (
        type(name, (), {"encode": lambda self, images, s=s: sleep(s)})()
        for name, s in (("A", 0.02), ("B", 0.002))
    )
    photos = [np.zeros((4, 4, 3), np.uint8)] * 4
    speed = measure_speed(slow, fast, photos)
    assert speed.photos == 4 and 3 < speed.ratio < 12 and speed.teacher < 50 < speed.student


def sleep(seconds):
    import time

    time.sleep(seconds)

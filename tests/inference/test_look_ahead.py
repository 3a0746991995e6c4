"""Streams: read one photo ahead, in order, and no longer than anyone wants results."""

import itertools
import threading
import time

import numpy as np
import pytest
from PIL import Image
from tiny_cropper import write_checkpoint

from procrop.inference import CropInferencer, CropRequest
from procrop.inference.look_ahead import look_ahead


def workers():
    return [thread for thread in threading.enumerate() if thread.name == "procrop-look-ahead"]


def wait_until(condition, seconds=5.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.005)
    return condition()


def counted(asked, items=None):
    for number in itertools.count() if items is None else items:
        asked.append(number)
        yield number


@pytest.mark.parametrize("ahead", [1, 3])
def test_a_source_without_end_is_asked_for_no_more_than_there_is_room_for(ahead):
    asked = []
    results = look_ahead(counted(asked), lambda n: n * n, ahead)
    assert asked == [] and workers() == []  # nothing starts before the first result is wanted
    for number in range(5):
        assert next(results) == number * number
        assert wait_until(lambda n=number: len(asked) == n + 1 + ahead)
        time.sleep(0.02)
        assert len(asked) == number + 1 + ahead
    results.close()
    assert workers() == [] and len(asked) == 5 + ahead


def test_the_next_item_is_prepared_while_the_present_one_is_in_use():
    here = threading.get_ident()
    prepared = threading.Event()

    def prepare(number):
        if number == 1:
            prepared.set()
        return threading.get_ident()

    results = look_ahead(range(3), prepare)
    assert next(results) != here
    assert prepared.wait(5)
    assert len(list(results)) == 2 and workers() == []


def test_a_source_that_waits_holds_no_result_back():
    go_on = threading.Event()

    def source():
        yield "first"
        go_on.wait(5)
        yield "second"

    results = look_ahead(source(), str.upper)
    assert next(results) == "FIRST" and not go_on.is_set()
    go_on.set()
    assert list(results) == ["SECOND"] and workers() == []


@pytest.mark.parametrize("error", [OSError("the disk is gone"), StopIteration("stray"), KeyboardInterrupt()])
def test_an_error_comes_behind_the_results_before_it(error):
    def prepare(number):
        if number == 2:
            raise error
        return number

    results, got = look_ahead(range(5), prepare), []
    # a generator may not end by a StopIteration of its own
    with pytest.raises(RuntimeError if isinstance(error, StopIteration) else type(error)):
        for value in results:
            got.append(value)
    assert got == [0, 1] and workers() == []


def test_a_forgotten_iterator_takes_its_thread_along():
    results = look_ahead(itertools.count(), str)
    next(results)
    assert len(workers()) == 1
    del results
    assert workers() == []


@pytest.fixture
def cropper(tmp_path):
    return CropInferencer(write_checkpoint(tmp_path), device="cpu")


@pytest.fixture
def path(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def test_generator_in_generator_out(cropper, path):
    asked = []

    def camera():
        for number in counted(asked):
            yield np.full((30, 40, 3), number, np.uint8)

    results = cropper.stream(camera(), CropRequest(top_k=2))
    assert asked == []
    for number in range(3):
        result = next(results)
        assert result.path == f"array {number}" and len(result.boxes) == 2
        assert (result.image == number).all() and len(asked) <= number + 2
        assert len(cropper.model.seen) == number + 1  # no photo is cropped before its result is wanted
    results.close()
    assert workers() == []


def test_files_arrays_and_images_give_the_same(cropper, path):
    image = Image.open(path)
    results = list(cropper.stream(iter([path, str(path), np.asarray(image), image])))
    assert [result.path for result in results] == [str(path), str(path), "array 2", "image 3"]
    for result in results:
        np.testing.assert_array_equal(result.boxes, results[0].boxes)
        np.testing.assert_array_equal(result.image, np.asarray(image))
    assert [r.path for r in cropper(image)] == ["image 0"]


def test_a_bad_photo_is_rejected_and_an_error_of_the_source_is_not(cropper, path):
    def source():
        yield path
        yield path.parent / "none.png"
        yield path
        raise OSError("the card was pulled out")

    reasons = []
    with pytest.raises(OSError, match="the card was pulled out"):
        for result in cropper.stream(source()):
            reasons.append(result.rejected)
    assert [reason is None for reason in reasons] == [True, False, True] and "does not exist" in reasons[1]
    assert workers() == []


def test_what_is_no_photo_is_a_mistake_of_the_caller(cropper):
    with pytest.raises(TypeError, match="a photo is a file, an .* array or a PIL image, not int"):
        list(cropper.stream([3]))


def test_results_without_their_photos(cropper, path):
    (bare,), (kept,) = cropper([path], images=False), cropper([path])
    assert bare.image is None and kept.image.shape == (30, 40, 3)
    with pytest.raises(ValueError, match="does not keep the photo; ask for it with images=True"):
        bare.cut()
    with pytest.raises(ValueError, match="has 3 crops, counted from 0; there is no crop 3"):
        kept.cut(3)


def test_one_photo_is_a_stream_of_one(cropper, path):
    assert [result.path for result in cropper.stream(str(path))] == [str(path)]


def test_captions_of_a_stream_need_a_list(cropper, path):
    with pytest.raises(ValueError, match="captions is a list"):
        cropper((p for p in [path]), captions=[None])

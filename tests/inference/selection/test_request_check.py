from fractions import Fraction

import pytest

from procrop.inference.crop_request import CropRequest
from procrop.inference.selection import check_request, select_crops, wanted_ratio


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (dict(top_k=0), "top_k must be a whole number of at least 1, got 0"),
        (dict(top_k=1.5), "top_k must be a whole number"),
        (dict(top_k=2.0), "top_k must be a whole number of at least 1, got 2.0"),
        (dict(top_k="2"), "top_k must be a whole number of at least 1, got '2'"),
        (dict(min_area="0.5"), r"min_area is a share in \[0, 1\], got '0.5'"),
        (dict(min_area=-0.1), r"min_area is a share in \[0, 1\], got -0.1"),
        (dict(min_area=25), r"min_area is a share in \[0, 1\], got 25"),
        (dict(min_area=float("nan")), "min_area is a share"),
        (dict(max_overlap=1.1), r"max_overlap is a share in \[0, 1\], got 1.1"),
        (dict(ratio="16:0"), "must be above 0"),
        (dict(ratio="a:b"), "'a:b' is no aspect ratio"),
        (dict(size=(0, 100)), "must be above 0"),
        (
            dict(size=(100, 100), ratio="16:9"),
            "a size of 100 x 100 is not of the ratio 16:9; leave one of them out",
        ),
        (dict(size=(100, 100), ratio="original"), "leave one out"),
        (dict(subject=(0, 0, 5)), "four finite numbers"),
        (dict(subject=(0, 0, 5, float("inf"))), "four finite numbers"),
        (dict(subject=(5, 0, 5, 9)), "x1 < x2 and y1 < y2"),
        (dict(subject=(0, 9, 5, 1)), "x1 < x2 and y1 < y2"),
    ],
)
def test_what_is_wrong_for_any_photo_is_told_before_any(fields, message):
    request = CropRequest(**fields)
    with pytest.raises(ValueError, match=message):
        check_request(request)
    with pytest.raises(ValueError, match=message):
        select_crops([], [], (64, 48), request, None)


def test_the_ratio_that_is_wanted():
    assert wanted_ratio(CropRequest(), (64, 48)) is None
    assert wanted_ratio(CropRequest(ratio="original"), (64, 48)).value == Fraction(4, 3)
    assert wanted_ratio(CropRequest(size=(1200, 630)), None).value == Fraction(40, 21)
    # what people call 1.91:1; the size is what is written
    request = CropRequest(size=(1200, 630), ratio="1.91:1")
    check_request(request)
    assert wanted_ratio(request, None).value == Fraction(40, 21)


def test_usual_requests_pass():
    for fields in (dict(ratio="original"), dict(min_area=1, max_overlap=0), dict(subject=(-5, -5, 5, 5))):
        check_request(CropRequest(**fields))

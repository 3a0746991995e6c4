from fractions import Fraction

import pytest

from procrop.inference.selection import AspectRatio


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("16:9", Fraction(16, 9)),
        ("4x5", Fraction(4, 5)),
        ("4X5", Fraction(4, 5)),
        (" 4 / 5 ", Fraction(4, 5)),
        ("1.91:1", Fraction(191, 100)),
        ("1.5", Fraction(3, 2)),
        ("1", Fraction(1)),
        ("1.7777777777777777", Fraction(16, 9)),
        ("0.05", Fraction(1, 20)),
        ("20:1", Fraction(20)),
        ("1920:1080", Fraction(16, 9)),
    ],
)
def test_ratios_are_read_exactly(text, value):
    ratio = AspectRatio.parse(text)
    assert ratio.value == value and ratio.text == text


def test_the_original_ratio_is_the_photos_whatever_its_shape():
    assert AspectRatio.parse("original", (641, 427)).value == Fraction(641, 427)
    assert AspectRatio.parse("Original", (5000, 100)).value == 50
    with pytest.raises(ValueError, match="give the photo's size"):
        AspectRatio.parse("original")


@pytest.mark.parametrize("text", ["16:0", "0:9", "0", "0.0:1"])
def test_a_side_of_nothing(text):
    with pytest.raises(ValueError, match="must be above 0"):
        AspectRatio.parse(text)


@pytest.mark.parametrize(
    "text", ["a:b", "", "nan", "inf", "-1:2", "16:9:1", "1e3", "16:", ":9", "١:٢", "1_0:2", "16 9"]
)
def test_what_is_no_ratio_says_how_one_is_written(text):
    with pytest.raises(ValueError, match=r'no aspect ratio; write it as width:height \("16:9"'):
        AspectRatio.parse(text)


@pytest.mark.parametrize("text", ["20.1:1", "1:21", "0.04", "999999999"])
def test_a_ratio_that_must_be_a_slip(text):
    with pytest.raises(ValueError, match="beyond 20:1 or 1:20"):
        AspectRatio.parse(text)


def test_a_number_is_no_text():
    with pytest.raises(ValueError, match="a ratio is text, got 1.5"):
        AspectRatio.parse(1.5)


def test_the_ratio_of_a_size():
    assert AspectRatio.of_size((1200, 630)) == AspectRatio(Fraction(40, 21), "1200x630")
    for size, message in [
        ((0, 5), "above 0"),
        ((4.5, 3), "whole pixels"),
        ((3000, 100), "beyond 20:1"),
        ((3,), "whole pixels"),
    ]:
        with pytest.raises(ValueError, match=message):
            AspectRatio.of_size(size)

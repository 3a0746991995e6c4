import pytest

from procrop.visualization import fit_text, load_font, wrap_text


def test_short_text_is_left_alone():
    assert fit_text("photo.jpg", load_font(14), 500) == "photo.jpg"


def test_long_text_keeps_both_ends_and_the_width():
    font = load_font(14)
    text = "holiday/" + "x" * 300 + "/photo_0042.jpg"
    short = fit_text(text, font, 200)
    assert font.getlength(short) <= 200
    assert font.getlength(short) > 180  # no more is taken away than has to be
    assert short.startswith("holiday/") and short.endswith("0042.jpg") and short.count("…") == 1


def test_no_room_at_all_gives_no_text():
    assert fit_text("photo.jpg", load_font(14), 1) == ""


def test_what_cannot_be_shown_becomes_a_question_mark():
    assert fit_text("a\nb\udcffc\x00.jpg", load_font(14), 500) == "a?b?c?.jpg"


def test_fonts_have_the_size_asked_for():
    small, large = load_font(10).getbbox("Hg"), load_font(30).getbbox("Hg")
    assert 2.5 < (large[3] - large[1]) / (small[3] - small[1]) < 3.5


LONG = "a small dog in the lower left, a boat with two masts behind it, and above both a sky that is nearly empty"
SCRIPTS = [LONG, "ένας σκύλος και ένα καράβι " * 5, "собака и лодка на берегу моря " * 5, "狗和船在海边" * 20]


@pytest.mark.parametrize("text", SCRIPTS, ids=["latin", "greek", "cyrillic", "no spaces"])
def test_wrapped_lines_hold_the_whole_text_and_keep_to_the_width(text):
    font = load_font(14)
    lines = wrap_text(text, font, 150, 30, indent=90)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "") and len(lines) > 3
    assert font.getlength(lines[0]) <= 60
    assert max(font.getlength(line) for line in lines) <= 150
    # no line could take the next word or character too
    for line, following in zip(lines[1:], lines[2:], strict=False):
        more = " " + following.split()[0] if " " in text else following[0]
        assert font.getlength(line + more) > 150


def test_a_text_that_is_too_long_ends_in_an_ellipsis():
    font = load_font(14)
    first, second = wrap_text(LONG, font, 200, 2)
    assert second.endswith("…") and LONG.startswith(first + " " + second[:-1].rstrip())
    assert 150 < font.getlength(second) <= 200
    assert wrap_text("a dog", font, 200, 2) == ["a dog"]
    assert wrap_text("", font, 200, 2) == [""]


def test_words_without_room_beside_the_indent_go_to_the_next_line():
    assert wrap_text("a dog", load_font(14), 100, 2, indent=98) == ["", "a dog"]
    assert wrap_text("dog", load_font(14), 1, 2) == ["d", ""]  # no line is without end


def test_line_breaks_are_spaces_and_joiners_are_left_out():
    assert wrap_text("a\n dog\u200d\x00\tand", load_font(14), 500, 2) == ["a dog? and"]

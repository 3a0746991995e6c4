from procrop.visualization import fit_text, load_font


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

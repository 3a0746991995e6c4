"""Progress in a log is lines with total and rest, not redraws."""

from procrop.io.progress import progress


def test_passes_everything_on_and_prints_lines(capsys):
    assert list(progress(iter("abc"), total=5, desc="reading", initial=2)) == ["a", "b", "c"]
    shown = capsys.readouterr().err
    assert "\r" not in shown
    assert "reading" in shown and "5/5" in shown.splitlines()[-1]

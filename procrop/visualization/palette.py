"""Colours of sheets and of what is written beside photos, RGB."""

PAPER, INK, GREY, LINE = (251, 251, 249), (27, 27, 27), (95, 99, 104), (221, 221, 217)
ABSENT, ALARM = (236, 236, 232), (168, 32, 20)

"""Colours of sheets and of what is written beside photos, RGB."""

PAPER, INK, GREY, LINE = (251, 251, 249), (27, 27, 27), (95, 99, 104), (221, 221, 217)
ABSENT, ALARM = (236, 236, 232), (168, 32, 20)
# what a crop's attention went to; apart in lightness too
PARTS = {"references": (213, 60, 30), "photo": (0, 92, 175), "text": (0, 138, 98), "null": (150, 150, 146)}

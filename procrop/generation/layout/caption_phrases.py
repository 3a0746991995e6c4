"""The things that a caption names."""

import re

_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*|[,.;:]")
# where one thing ends and the next may begin; "of" joins ("a group of people")
_BREAKS = frozenset(
    """, . ; : in on at with by near next to behind under over above below beside between against through along across
    into from and that which who where while for as during around is are was were has have there""".split()
)
_PLACES = re.compile(r"(?i)\b(in|on|at|to) (the )?(front|top|back|side|middle|edge|left|right) of\b")
_NO_THING = frozenset("a an the of it this its his her their some top front back side middle very".split())
# words in -ing that are things; the others say what things do
_THINGS_IN_ING = frozenset(
    "building morning evening painting ceiling clothing wing ring king spring string swing railing thing".split()
)


def noun_phrases(caption: str) -> tuple[str, ...]:
    """Cut a caption at prepositions and verbs in -ing, and keep what names something.

    A rule of thumb for the plain sentences that captioners write, e.g. "a dog sitting on a beach with a ball" ->
    ("a dog", "a beach", "a ball").
    """
    phrases: list[list[str]] = [[]]
    for word in _WORD.findall(_PLACES.sub(",", caption)):
        if word.lower() in _BREAKS or (_is_doing(word) and phrases[-1]):
            phrases.append([])
        else:
            phrases[-1].append(word)
    texts = [" ".join(p).removeprefix("of ").removesuffix(" of") for p in phrases if any(map(_is_thing, p))]
    return tuple(dict.fromkeys(texts))


def _is_doing(word: str) -> bool:
    return word.lower().endswith("ing") and word.lower() not in _THINGS_IN_ING


def _is_thing(word: str) -> bool:
    return word.lower() not in _NO_THING and not _is_doing(word)

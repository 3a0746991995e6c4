"""The cost of retrieval and text that does not depend on the machine."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "benchmarks"))


def test_references_cost_at_most_a_tenth_of_the_flops():
    from model import flop_ratio

    ours, peer = flop_ratio()
    # ResNet-50 alone is about 39 GMAC at 800 x 600: a counter that missed it would flatter the ratio
    assert peer > 2 * 39e9
    assert 1.0 < ours / peer <= 1.10


def test_text_costs_at_most_a_tenth_of_the_flops():
    from model import TEXT_TARGET, text_flop_ratio

    text, references = text_flop_ratio()
    assert references > 2 * 39e9
    assert 1.0 < text / references <= TEXT_TARGET

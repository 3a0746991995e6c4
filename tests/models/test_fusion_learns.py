"""Every way of fusing references and text learns what only they tell.

All photos look alike. The tokens of their references lean one way or the other along a hidden direction, or a word of
their captions names a side, or which of two words comes first does, and that decides which of two crops is the right
one: a model that sees none of it is right for half of the photos.
"""

import random

import pytest
import torch
from builders import build, head_cfg, procrop_cfg, references, sample
from fusion_variants import VARIANTS, variant, without_backbone

from procrop.models.text import WordTextEncoder

CROPS = [[0.0, 0.0, 40.0, 64.0], [56.0, 0.0, 96.0, 64.0]]
STEPS = 120  # what starts at zero, as fusion along the channels does, begins to learn later


def leaning_references(answer, seed):
    direction = torch.randn(8, generator=torch.Generator().manual_seed(5))
    refs = references(3, seed=seed)
    refs.tokens = (refs.tokens.float() + (2 * answer - 1) * direction).half()
    return dict(refs=refs)


def caption_of_a_side(answer, seed, words=("cup", "tree", "dog", "sea", "old", "red")):
    """Two to seven words, one of which names the side; references beside them say nothing."""
    draw = random.Random(seed)
    caption = draw.choices(words, k=draw.randint(1, 6))
    caption.insert(draw.randint(0, len(caption)), ("left", "right")[answer])
    return dict(refs=references(2, seed=seed), text=tokens_of(caption))


def caption_of_an_order(answer, seed):
    """ "a cup left of a dog", or a dog left of a cup: the same words in either case."""
    first, second = ("cup", "dog") if answer else ("dog", "cup")
    return dict(text=tokens_of(["a", first, "left", "of", "a", second]))


def tokens_of(words):
    return torch.from_numpy(WordTextEncoder(token_dim=8).encode([None], [" ".join(words)])[0])


def batch(number, seed, context):
    """Photos of alternating answer; the answer, 0 or 1, is the place of the right crop in CROPS."""
    return [sample(crops=[CROPS[i % 2]], **context(i % 2, 1000 * seed + i)) for i in range(number)]


def share_right(model, samples, maps):
    """Share of photos whose best crop lies on the right one."""
    with torch.no_grad():
        crops = model.eval().predict(maps.expand(len(samples), -1, -1, -1), samples)
    centres = torch.stack(
        [(c.pred_instances.bboxes[0, 0] + c.pred_instances.bboxes[0, 2]) / 2 for c in crops]
    )
    width = samples[0].ori_shape[1]
    answers = torch.arange(len(samples)) % 2
    return float(((centres > width / 2) == (answers == 1)).float().mean())


def trained(model, context=leaning_references, steps=STEPS, seed=1):
    """The share of right crops among photos that the training has not seen."""
    torch.manual_seed(seed)
    model.init_weights()
    maps = torch.randn(1, 32, 4, 6)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    model.train()
    for step in range(steps):
        samples = batch(6, step + 1, context)
        losses = model.loss(maps.expand(6, -1, -1, -1), samples)
        optimizer.zero_grad()
        sum(losses.values()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    return share_right(model, batch(16, 0, context), maps)


def small_head():
    return head_cfg(num_queries=4, layers=1)


def quick_or_slow(names, quick="both"):
    return [n if n == quick else pytest.param(n, marks=pytest.mark.slow) for n in names]


@pytest.mark.parametrize("name", quick_or_slow(VARIANTS))
def test_references_decide(name):
    assert trained(variant(name, perturb=False, bbox_head=small_head()).float()) >= 0.9


TEXT_VARIANTS = [
    "both",
    "concat_only",
    "cross_attention_only",
    "photo_grid",
    "channel_axis",
    "before_encoder",
]


@pytest.mark.parametrize("name", quick_or_slow(TEXT_VARIANTS))
def test_a_word_decides(name):
    """Beside references that are there and tell nothing."""
    model = variant(name, perturb=False, text=True, bbox_head=small_head()).float()
    assert trained(model, caption_of_a_side, 240 if name == "both" else 400, seed=2) >= 0.9


def test_the_order_of_words_decides():
    model = variant("both", perturb=False, text=True, references=False, bbox_head=small_head()).float()
    assert trained(model, caption_of_an_order, 240) >= 0.9


def test_nothing_else_does():
    blind = without_backbone(build(procrop_cfg(references=False, bbox_head=small_head())))
    assert trained(blind, lambda answer, seed: {}, steps=30) == 0.5

"""Photos embedded once are fused with any contexts as if they had been run with them from the start."""

import pytest
import torch
from builders import references, sample
from fusion_variants import feature_maps, variant


def batch(numbers):
    """Two photos, one padded, with that many references each (None: no field at all)."""
    samples = [sample(), sample()]
    samples[1].set_metainfo(dict(img_shape=(64, 80)))
    for i, (each, number) in enumerate(zip(samples, numbers, strict=True)):
        if number is not None:
            each.references = references(number, seed=i)
    return samples


@pytest.mark.parametrize(
    ("name", "passes"), [("both", 1), ("channel_axis", 1), ("before_encoder", 4), ("channel_before", 4)]
)
def test_fusing_again_equals_starting_anew(name, passes):
    model, maps = variant(name), feature_maps(2)
    encoded = []

    def same(one, other):
        return one is other or torch.equal(one, other)  # a mask may be absent

    with torch.no_grad():
        hook = model.encoder.register_forward_hook(lambda *_: encoded.append(1))
        photo = model.embed_photo(maps, batch((None, None)))
        kept = photo.tokens.tokens.clone(), photo.feature_map.clone()
        asked = [(3, 1), (None, 2), (None, None), (3, 1)]
        memories = [model.fuse_photo(photo, batch(numbers)).memory for numbers in asked]
        hook.remove()
        assert len(encoded) == passes  # of the encoder, where it comes before the fusion
        for numbers, memory in zip(asked, memories, strict=True):
            samples = batch(numbers)
            query = model.photo_tokens(maps, samples)
            if model.fuse_before_encoder:
                expected = model.encode(model.fuse(query, samples))
            else:
                expected = model.fuse(model.encode(query), samples)
            assert torch.equal(memory.tokens, expected.tokens)
            assert same(memory.mask, expected.mask) and same(memory.pos, expected.pos)
    assert torch.equal(photo.tokens.tokens, kept[0]) and torch.equal(photo.feature_map, kept[1])
    assert not torch.equal(memories[0].tokens[0], memories[1].tokens[0])
    assert torch.equal(photo.extent, torch.tensor([[6.0, 4.0], [5.0, 4.0]]))

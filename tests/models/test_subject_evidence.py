"""SubjectEvidenceBackbone: its formulas against numpy, its padding, and that nothing of it is trained."""

import copy

import numpy as np
import pytest
import torch
from builders import build

from procrop.networks.efficientnet_lite import fold_for_inference

CFG = dict(type="SubjectEvidenceBackbone")


@pytest.fixture(scope="module")
def backbone():
    backbone = build(CFG)
    backbone.net.load_pretrained()
    return backbone.eval()


def photos(*size, seed=0):
    return torch.randn(2, 3, *size, generator=torch.Generator().manual_seed(seed))


def standing_out(level, floor):
    above = np.maximum(level - floor * level.mean(), 0)
    return above / above.mean()


def test_maps_are_the_stated_formulas(backbone):
    x = photos(96, 128)
    (maps,) = backbone(x)
    (stage,), head = backbone.net.forward_with_head(x)
    weight, bias = (p.detach().double().numpy() for p in backbone.net.classifier.parameters())
    for i in range(2):
        energy = np.linalg.norm(stage[i].double().detach().numpy(), axis=0)
        np.testing.assert_allclose(maps[i, 0], standing_out(energy, 1.0), rtol=1e-3, atol=1e-4)
        h = head[i].double().detach().numpy()
        logits = weight @ h.mean(axis=(1, 2)) + bias
        p = np.exp(logits - logits.max())
        w = p / p.sum() @ weight - weight.mean(axis=0)
        evidence = standing_out(np.maximum(np.tensordot(w, h, 1), 0), 0.5)
        wide = torch.nn.functional.interpolate(
            torch.tensor(evidence)[None, None], size=(6, 8), mode="bilinear"
        )
        assert wide.max() > 0
        np.testing.assert_allclose(maps[i, 1], wide[0, 0], rtol=1e-3, atol=1e-4)


def test_each_map_has_a_mean_of_one_where_anything_stands_out(backbone):
    (maps,) = backbone(photos(128, 160))
    assert maps.shape == (2, 2, 8, 10) and (maps >= 0).all()
    torch.testing.assert_close(maps[:, 0].mean(dim=(1, 2)), torch.ones(2))


def test_padding_has_no_subject_and_does_not_count_in_the_means(backbone):
    x = photos(96, 128)
    (maps,) = backbone(torch.nn.functional.pad(x, (0, 64, 0, 32)))
    assert maps.shape[-2:] == (8, 12)
    assert maps[..., 6:, :].eq(0).all() and maps[..., :, 8:].eq(0).all()
    torch.testing.assert_close(maps[:, 0, :6, :8].mean(dim=(1, 2)), torch.ones(2))


def test_a_grey_line_inside_a_photo_is_no_padding(backbone):
    x = photos(96, 128)
    x[..., 32:64] = 0  # two columns of cells in the exact mean colour
    (maps,) = backbone(x)
    assert maps[:, 0, :, 4:].sum() > 0


def test_features_lie_behind_the_maps(backbone):
    wide = build(CFG | dict(features=True)).eval()
    wide.load_state_dict(backbone.state_dict())
    x = photos(64, 96)
    (maps,), (stage,) = wide(x), wide.net(x)
    assert wide.out_channels == (114,) and backbone.out_channels == (2,)
    torch.testing.assert_close(maps[:, :2], backbone(x)[0])
    torch.testing.assert_close(maps[:, 2:], stage)


def test_nothing_is_trained(backbone):
    backbone.train()
    assert not any(p.requires_grad for p in backbone.parameters())
    assert not any(m.training for m in backbone.net.modules())
    assert not backbone(photos(64, 64))[0].requires_grad


def test_folded_cells_lie_side_by_side_in_the_channels(backbone):
    folded = build(CFG | dict(fold=2)).eval()
    folded.load_state_dict(backbone.state_dict())
    x = photos(112, 160)
    (maps,), (found,) = backbone(x), folded(x)
    assert folded.out_channels == (8,) and found.shape == (2, 8, 4, 5)
    for kind in range(2):
        for row in range(2):
            for column in range(2):
                part = torch.zeros(2, 4, 5)
                taken = maps[:, kind, row::2, column::2]
                part[:, : taken.shape[1]] = taken
                torch.testing.assert_close(found[:, 4 * kind + 2 * row + column], part)


def test_fold_must_be_positive():
    with pytest.raises(ValueError, match="fold must be at least 1"):
        build(CFG | dict(fold=0))


@pytest.mark.parametrize("options", [{}, {"fold": 2}, {"features": True}, {"fold": 2, "features": True}])
def test_the_subject_map_is_the_mean_of_both_maps_whatever_lies_beside_them(backbone, options):
    other = build(CFG | options).eval()
    other.load_state_dict(backbone.state_dict())
    x = photos(112, 150)  # seven rows of cells: folded ones have half of their last
    (maps,) = backbone(x)
    found = other.subject_map(other(x), (112, 150))
    assert found.shape == (2, 7, 10)
    torch.testing.assert_close(found, maps.mean(dim=1))


def test_a_photo_of_exactly_the_mean_colour_is_empty_not_nan(backbone):
    (maps,) = backbone(torch.zeros(1, 3, 64, 96))
    assert maps.shape == (1, 2, 4, 6) and not maps.any()


@pytest.mark.parametrize("features", [False, True])
def test_what_was_seen_is_remembered_while_training(backbone, monkeypatch, features):
    remembering = build(CFG | dict(remember=3, features=features, fold=2))
    remembering.load_state_dict(backbone.state_dict())
    plain = build(CFG | dict(features=features, fold=2)).eval()
    plain.load_state_dict(backbone.state_dict())
    small, wide = photos(64, 96), photos(64, 128, seed=1)
    batch = torch.nn.functional.pad(torch.cat([torch.nn.functional.pad(small, (0, 32)), wide]), (0, 0, 0, 32))
    looked = []
    monkeypatch.setattr(
        remembering.net,
        "forward_with_head",
        lambda x, f=remembering.net.forward_with_head: looked.append(x) or f(x),
    )
    alone = [plain(part)[0] for part in (small, wide)]
    alone = [torch.nn.functional.pad(part, (0, 4 - part.shape[3], 0, 3 - part.shape[2])) for part in alone]
    remembering.train()
    torch.testing.assert_close(remembering(batch)[0], torch.cat(alone), rtol=1e-3, atol=1e-3)
    assert [tuple(x.shape) for x in looked] == [(1, 3, 64, 96)] * 2 + [(1, 3, 64, 128)] * 2
    # three of the four are known; in other company too
    torch.testing.assert_close(remembering(small)[0], plain(small)[0], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(remembering(batch)[0], torch.cat(alone), rtol=1e-3, atol=1e-3)
    assert len(looked) == 5 and len(remembering._seen) == 3
    remembering.eval()(small)
    assert len(looked) == 7  # not remembered while testing


@pytest.mark.parametrize(
    "cfg", [CFG, CFG | dict(fold=2, features=True)], ids=["maps", "folded, with features"]
)
def test_a_photo_has_the_same_maps_alone_and_in_any_company(backbone, cfg):
    found = build(cfg).eval()
    found.load_state_dict(backbone.state_dict())
    batch = torch.zeros(3, 3, 128, 160)
    sizes = [(96, 160), (128, 64), (70, 90)]  # the last of no multiple of anything
    for photo, (height, width) in zip(batch, sizes, strict=True):
        photo[:, :height, :width] = photos(height, width)[0]
    (together,) = found(batch)
    assert together.shape == (3, found.out_channels[0], 8 // found.fold, 10 // found.fold)
    for photo, maps, (height, width) in zip(batch, together, sizes, strict=True):
        (alone,) = found(photo[None, :, :height, :width])
        rows, columns = alone.shape[-2:]
        torch.testing.assert_close(maps[None, :, :rows, :columns], alone)
        assert not maps[:, rows:].any() and not maps[:, :, columns:].any()


def test_folding_changes_the_maps_by_rounding(backbone):
    folded = copy.deepcopy(backbone)
    fold_for_inference(folded)
    x = photos(96, 128)[:1]
    torch.testing.assert_close(folded(x)[0], backbone(x)[0], rtol=1e-4, atol=1e-4)
    padded = torch.nn.functional.pad(photos(80, 100), (0, 28, 0, 16))
    torch.testing.assert_close(folded(padded)[0], backbone(padded)[0], rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")
def test_a_graph_traced_with_two_photos_takes_any_number(backbone):
    traced = torch.jit.trace(lambda x: backbone(x)[0], photos(64, 96), check_trace=False)
    x = torch.cat([photos(64, 96, seed=1), photos(64, 96, seed=2)])[:3]
    torch.testing.assert_close(traced(x), backbone(x)[0], rtol=1e-4, atol=1e-4)

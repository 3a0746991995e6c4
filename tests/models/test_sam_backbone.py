"""SAM as the cropper's image backbone: SAM itself at SAM's size, SAM's geometry at any other."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from builders import build, references, sample
from mmengine.config import Config
from mmengine.registry import DefaultScope

from procrop.engine.config_validation import validate_config
from procrop.networks.sam import build_sam_encoder, normalise_sam, sam_arch
from procrop.networks.sam_weights import random_encoder_state
from procrop.registry import TRANSFORMS
from procrop.retrieval.backbones import SAMRetrieval
from procrop.retrieval.backbones.area_pooling import area_pool

ROOT = Path(__file__).parents[2]
LEAF = ROOT / "configs/ablations/query_encoder/procrop_sam_gaicv2.py"
TINY = dict(embed_dim=32, depth=3, num_heads=2, global_attn_indexes=(1,), image_size=448, out_channels=16)


def weights(path, arch=TINY, seed=0):
    """A file of random weights, large enough that attention and positions matter."""
    like = build_sam_encoder(sam_arch("vit_b", arch)).state_dict()
    state = {k: v * (5 if v.ndim > 1 else 1) for k, v in random_encoder_state(like, seed).items()}
    torch.save(state, path)
    return path


def make(path, arch=TINY, **kwargs):
    backbone = build(dict(type="SAMBackbone", arch=arch, checkpoint=str(path), **kwargs))
    backbone.init_weights()
    return backbone


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return weights(tmp_path_factory.mktemp("sam") / "sam.pth")


@pytest.fixture(scope="module")
def backbone(checkpoint):
    return make(checkpoint)


def noise(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_at_sams_size_it_is_sam(backbone, checkpoint):
    sam = build_sam_encoder(sam_arch("vit_b", TINY))
    sam.load_state_dict(torch.load(checkpoint))
    x = noise(2, 3, 448, 448)
    with torch.no_grad():
        (found,) = backbone(x)
        assert torch.equal(found, sam(x))
    assert found.shape == (2, 16, 28, 28) and backbone.out_channels == (16,)


def test_query_features_are_the_retrieval_encoders(backbone, checkpoint):
    """f_I: the map that a gallery's tokens are pooled from, through the pipeline and preprocessor of the config."""
    import skimage.data

    cfg = Config.fromfile(LEAF)
    photo = skimage.data.coffee()  # 400 x 600
    encoder = SAMRetrieval(checkpoint=checkpoint, arch=TINY)
    with DefaultScope.overwrite_default_scope("procrop"):
        resize = TRANSFORMS.build({**cfg.test_pipeline[2], "scale": (448, 448)})
        results = resize(dict(img=photo, img_shape=photo.shape[:2]))
        np.testing.assert_array_equal(results["img"], encoder.prepare(photo))
        preprocessor = build({**cfg.model.data_preprocessor, "pad_size_divisor": 448})
    inputs = torch.from_numpy(results["img"]).permute(2, 0, 1)
    meta = sample(shape=results["img"].shape[:2])
    x = preprocessor(dict(inputs=[inputs], data_samples=[meta]))["inputs"]
    assert x.shape == (1, 3, 448, 448)
    height, width = results["img"].shape[:2]
    tokens = area_pool(backbone(x)[0], (8, 8), (height / 16, width / 16))
    np.testing.assert_allclose(tokens[0], encoder.encode([photo]).tokens[0], rtol=2e-3, atol=2e-3)


def test_a_shorter_side_is_sams_image_cut_off(tmp_path):
    """Without global attention and at window borders the cut changes nothing but the neck's last column."""
    arch = {**TINY, "global_attn_indexes": ()}
    backbone = make(weights(tmp_path / "local.pth", arch), arch)
    x = noise(1, 3, 448, 224)
    with torch.no_grad():
        (narrow,), (whole,) = backbone(x), backbone(F.pad(x, (0, 224)))
        (low,), (whole_low,) = backbone(x.mT), backbone(F.pad(x.mT, (0, 0, 0, 224)))
    assert narrow.shape == (1, 16, 28, 14)
    torch.testing.assert_close(narrow[..., :-1], whole[..., :13], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(low[..., :-1, :], whole_low[..., :13, :], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(("rows", "columns"), [(28, 17), (5, 28)])
def test_distances_of_a_cut_image_are_sams(backbone, rows, columns):
    from segment_anything.modeling.image_encoder import get_rel_pos

    found = backbone._positions(rows, columns)
    attention = backbone.net.blocks[1].attn
    for axis, cells in (("h", rows), ("w", columns)):
        table = getattr(attention, f"rel_pos_{axis}")
        ours = get_rel_pos(cells, cells, found[f"blocks.1.attn.rel_pos_{axis}"])
        assert torch.equal(ours, get_rel_pos(28, 28, table)[:cells, :cells])


def test_positions_are_resized_by_one_factor(backbone):
    """A ramp over SAM's grid stays the same ramp, along both axes, at twice the size and another shape."""
    net = backbone.net
    kept = net.pos_embed.data.clone()
    try:
        ramp = torch.arange(28.0)
        net.pos_embed.data[..., 0], net.pos_embed.data[..., 1] = ramp[:, None], ramp[None, :]
        found = backbone._positions(30, 56)["pos_embed"][0]
    finally:
        net.pos_embed.data.copy_(kept)
    assert found.shape == (30, 56, 32)
    expected = (torch.arange(56) + 0.5) / 2 - 0.5
    inner = slice(
        6, 50
    )  # cubic resizing bends a ramp at the borders, and ripples a twentieth of a step elsewhere
    torch.testing.assert_close(found[3, inner, 1], expected[inner], rtol=0, atol=0.06)
    torch.testing.assert_close(found[6:30, 40, 0], expected[6:30], rtol=0, atol=0.06)


def test_other_sizes_run_and_company_of_one_size_changes_nothing(backbone):
    x = noise(2, 3, 64, 144)
    with torch.no_grad():
        (both,), (alone,) = backbone(x), backbone(x[1:])
        assert backbone(noise(1, 3, 16, 16))[0].shape == (1, 16, 1, 1)
        assert backbone(noise(1, 3, 480, 16))[0].shape == (1, 16, 30, 1)
    assert both.shape == (2, 16, 4, 9)
    torch.testing.assert_close(both[1:], alone, rtol=1e-4, atol=1e-5)
    assert backbone.net.pos_embed.shape == (1, 28, 28, 32)


def test_a_side_that_is_no_multiple_is_refused(backbone):
    with pytest.raises(ValueError, match="448 x 450; set pad_size_divisor=16"):
        backbone(torch.zeros(1, 3, 448, 450))


@pytest.mark.parametrize("size", [(448, 448), (96, 160)])
def test_frozen_learns_nothing_and_unfrozen_everything(checkpoint, backbone, size):
    assert not backbone(torch.zeros(1, 3, *size))[0].requires_grad
    learning = make(checkpoint, frozen=False).train()
    (learning(noise(1, 3, *size))[0] * noise(16, 1, 1)).sum().backward()
    without = [n for n, p in learning.named_parameters() if p.grad is None or not p.grad.any()]
    # a constant shift of all keys is invisible to softmax, but nothing else may be
    assert without == []


def test_weights_come_in_init_weights_and_must_fit(checkpoint, tmp_path):
    before = build(dict(type="SAMBackbone", arch=TINY, checkpoint=str(checkpoint)))
    assert not before.net.pos_embed.any()  # building reads no file
    with pytest.raises(ValueError, match=r"not weights of SAM vit_b: \d+ keys missing"):
        make(checkpoint, {**TINY, "depth": 4})
    with pytest.raises(FileNotFoundError, match=r"lost\.pth.*segment-anything#model-checkpoints"):
        make(tmp_path / "lost.pth")
    with pytest.raises(ValueError, match="vit_x"):
        build(dict(type="SAMBackbone", model_type="vit_x"))


@pytest.fixture(scope="module")
def cropper():
    """The config's cropper, a small SAM in it."""
    cfg = Config.fromfile(LEAF)
    validate_config(cfg)
    cfg.merge_from_dict(
        {
            "model.data_preprocessor.pad_size_divisor": 16,
            "model.backbone.checkpoint": None,
            "model.backbone.arch": {**TINY, "image_size": 128, "out_channels": 256},
            "model.encoder.num_layers": 1,
            "model.bbox_head.decoder.num_layers": 2,
        }
    )
    validate_config(cfg)
    torch.manual_seed(0)
    # as a Runner takes them from the gallery
    cfg.model.context_encoders.references.update(in_channels=256, token_grid=(8, 8))
    model = build(cfg.model)
    model.init_weights()
    return model


def batch():
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randint(0, 256, (3, 96, 128), generator=generator, dtype=torch.uint8) for _ in range(2)]
    inputs[1] = inputs[1][:, :70, :90]
    with_references, without = sample(references(3, 64, 256), (96, 128)), sample(None, (70, 90), (140, 180))
    return dict(inputs=inputs, data_samples=[with_references, without])


def test_the_configs_cropper_trains_and_predicts(cropper):
    cropper.train()
    losses = cropper(**cropper.data_preprocessor(batch(), training=True), mode="loss")
    total, _ = cropper.parse_losses(losses)
    assert torch.isfinite(total)
    total.backward()
    assert all(p.grad is None for p in cropper.backbone.parameters())
    assert all(p.grad is not None for n, p in cropper.named_parameters() if p.requires_grad)
    cropper.eval()
    with torch.no_grad():
        found = cropper.test_step(batch())
    for prediction, (height, width) in zip(found, [(128, 192), (140, 180)], strict=True):
        boxes = prediction.pred_instances.bboxes
        assert boxes.shape == (90, 4) and torch.isfinite(boxes).all()
        assert (boxes[:, :2] >= 0).all() and (boxes[:, 2] <= width).all() and (boxes[:, 3] <= height).all()


def test_references_are_read_from_a_sam_gallery(cropper):
    """Width and grid of the config's SAM encoder are those that the cropper was built with."""
    cfg = Config.fromfile(LEAF)
    arch = {**TINY, "image_size": 64, "out_channels": 256}
    config = {**cfg.retrieval.backbone, "checkpoint": None, "random_weights_seed": 0, "arch": arch}
    assert config.pop("type") == "SAMRetrieval"
    encoder = SAMRetrieval(**config)
    expected = cropper.context_encoders["references"]
    assert encoder.token_shape == (64, expected.in_channels)
    assert encoder.token_grid == expected.token_grid
    photo = normalise_sam(torch.zeros(1, 3, 4, 4))  # black, as the preprocessor of the config gives it
    mean, std = cfg.model.data_preprocessor.mean, cfg.model.data_preprocessor.std
    torch.testing.assert_close(photo[0, :, 0, 0], -torch.tensor(mean) / torch.tensor(std))

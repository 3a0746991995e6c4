"""Another encoder in configs/procrop_toy.py is one line: gallery, neighbours and model follow."""

import pytest
from swap_cases import LINE, ROOT, TOY, losses_and_crops, read

SMALL_SAM = dict(embed_dim=32, depth=2, num_heads=2, global_attn_indexes=(1,), image_size=256)
SMALL_CLIP = dict(
    hidden_size=32, intermediate_size=64, projection_dim=16, num_hidden_layers=2, num_attention_heads=4
)
SMALL_CLIP |= dict(image_size=56, patch_size=8, initializer_factor=8.0)
# what stands in for weights that cannot be had without a download: random ones, of small networks
STAND_INS = {
    "sam_vit_b": dict(checkpoint=None, random_weights_seed=0, arch=SMALL_SAM),
    "hf_sam_vit_b": dict(pretrained=None, random_weights_seed=0, arch=SMALL_SAM),
    "clip_vit_b32": dict(model=None, revision=None, random_weights_seed=0, config=SMALL_CLIP),
    "dreamsim": dict(folder=None, random_weights_seed=0, config=dict(width=32, depth=2, heads=4, out_dim=16)),
    "lpips_alex": dict(random_weights_seed=0, image_size=32),
    "efficientnet_lite0_8x8": {},
    "line_composition": {},
}
# the same classes with other weights: their files are read in tests/tools/test_tool_configs.py
LARGER_TWINS = {"efficientnet_lite0", "sam_vit_l", "sam_vit_h", "clip_vit_l14"}


@pytest.mark.parametrize("name", STAND_INS)
def test_another_encoder_is_one_line(toy, tmp_path, name):
    text = TOY.read_text()
    assert text.count(LINE) == 1
    cfg = read(toy, tmp_path, text.replace(LINE, f'"_base_/retrieval/{name}.py"'))
    cfg.retrieval.backbone.update(STAND_INS[name])
    if name in ("clip_vit_b32", "dreamsim"):
        cfg.retrieval.backbone.token_grid = (3, 3)
    loss, crops = losses_and_crops(toy, tmp_path, cfg)
    assert 0 < loss < 1e3
    assert all(len(sample.pred_instances.bboxes) == 24 for sample in crops)


def test_every_encoder_is_tried():
    files = {path.stem for path in (ROOT / "configs/_base_/retrieval").glob("*.py")}
    assert files == set(STAND_INS) | LARGER_TWINS

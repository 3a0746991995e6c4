"""Another encoder in configs/procrop_toy.py is one line: gallery, neighbours and model follow."""

import pytest
from stand_ins import with_stand_ins
from swap_cases import LINE, ROOT, TOY, losses_and_crops, read

TRIED = (
    "sam_vit_b",
    "hf_sam_vit_b",
    "clip_vit_b32",
    "dreamsim",
    "lpips_alex",
    "efficientnet_lite0_8x8",
    "efficientnet_lite0_64",
    "line_composition",
    "subject_evidence",
)
# the same classes with other weights: their files are read in tests/tools/test_tool_configs.py
LARGER_TWINS = {"efficientnet_lite0", "sam_vit_l", "sam_vit_h", "clip_vit_l14"}


@pytest.mark.parametrize("name", TRIED)
def test_another_encoder_is_one_line(toy, tmp_path, name):
    text = TOY.read_text()
    assert text.count(LINE) == 1
    cfg = read(toy, tmp_path, text.replace(LINE, f'"_base_/retrieval/{name}.py"'))
    cfg.retrieval = with_stand_ins(cfg.retrieval.to_dict())
    if name in ("clip_vit_b32", "dreamsim"):
        cfg.retrieval.backbone.token_grid = (3, 3)
    loss, crops = losses_and_crops(toy, tmp_path, cfg)
    assert 0 < loss < 1e3
    assert all(len(sample.pred_instances.bboxes) == 24 for sample in crops)


def test_every_encoder_is_tried():
    files = {path.stem for path in (ROOT / "configs/_base_/retrieval").glob("*.py")}
    assert files == set(TRIED) | LARGER_TWINS

"""Which configs an ablation has, what they are called, and the number in which they differ."""

from pathlib import Path

import pytest

from procrop.apis.ablation_axis import axis_of
from procrop.apis.ablation_plan import Variant, find_configs, read_variants
from procrop.apis.ablation_plot import _panels
from procrop.apis.ablation_schedule import in_words

CONFIGS = Path(__file__).parents[2] / "configs"


def variants(*cfgs):
    return [Variant(f"v{i}", Path(f"v{i}.py"), cfg) for i, cfg in enumerate(cfgs)]


def with_k(k, embed=8):
    references = None if k == 0 else dict(type="LoadReferences", k=k)
    encoders = None if k == 0 else dict(references=dict(embed_dims=embed))
    data = dict(batch_size=2, dataset=dict(references=references))
    return dict(
        model=dict(context_encoders=encoders, num_queries=9),
        train_dataloader=data,
        optim_wrapper=dict(lr=0.1),
    )


def test_the_number_that_differs():
    assert axis_of(variants(with_k(0), with_k(1), with_k(6))) == ("references.k", [0, 1, 6])
    assert axis_of(variants(with_k(3), with_k(3))) is None
    assert axis_of(variants(with_k(1), with_k(2), with_k(2))) is None  # two variants would share a point
    assert axis_of(variants(with_k(1, 8), with_k(2, 16))) is None  # two numbers differ
    assert axis_of(variants(with_k(5))) is None


def test_the_number_of_crops_is_all_that_its_ablation_changes():
    found = read_variants(find_configs([CONFIGS / "ablations/crop_number"]), [])
    assert axis_of(found) == ("bbox_head.num_queries", [24, 50, 90, 150])
    assert [variant.name for variant in found] == ["n024", "n050", "n090", "n150"]
    (cpc,) = read_variants([CONFIGS / "procrop_cpc_90.py"], [])
    assert cpc.cfg["model"]["bbox_head"]["num_queries"] == 90
    assert cpc.cfg["train_dataloader"]["dataset"]["type"] == "CPCDataset"


def test_a_number_that_is_named():
    assert axis_of(variants(with_k(1, 8), with_k(2, 16)), "embed_dims") == ("embed_dims", [8, 16])
    assert axis_of(variants(with_k(2)), "dataset.references.k") == ("dataset.references.k", [2])
    with pytest.raises(ValueError, match="no number at references.kk"):
        axis_of(variants(with_k(1)), "references.kk")
    cfg = with_k(1)
    cfg["model"]["references"] = dict(k=2)
    with pytest.raises(ValueError, match=r"several numbers \(1, 2\) at references.k"):
        axis_of(variants(cfg), "references.k")


def test_configs_of_a_folder(tmp_path):
    for name in ("b/one.py", "a/one.py", "a/two.py", "a/_base_/part.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"_base_ = [{str(CONFIGS / 'procrop_toy.py')!r}]\n")
    found = find_configs([tmp_path])
    assert [str(path.relative_to(tmp_path)) for path in found] == ["a/one.py", "a/two.py", "b/one.py"]
    read = read_variants(found, ["train_cfg.max_epochs=5"])
    assert [variant.name for variant in read] == ["a-one", "two", "b-one"]
    assert read[0].digest == read[2].digest and read[0].epochs == 5
    assert read_variants(found[:1], [])[0].digest != read[0].digest
    with pytest.raises(ValueError, match="named twice"):
        find_configs([tmp_path, tmp_path / "b/one.py"])


def test_what_is_no_ablation(tmp_path):
    with pytest.raises(ValueError, match="no config file"):
        find_configs([tmp_path])
    with pytest.raises(ValueError, match="no such config file or folder"):
        find_configs([tmp_path / "none"])
    with pytest.raises(ValueError, match="test_on_flms.py: has no model"):
        read_variants([CONFIGS / "transfer/test_on_flms.py"], [])


def test_numbers_of_crops_share_a_panel():
    known = ["acc/acc_1/5@0.85", "crop/iou@1", "crop/iou@2", "crop/iou@10", "crop/iou@avg", "crop/disp@1"]
    found = _panels(["acc/acc_1/5@0.85", "crop/iou@1"], known)
    assert found == {
        "acc/acc_1/5@0.85": ["acc/acc_1/5@0.85"],
        "crop/iou": ["crop/iou@1", "crop/iou@2", "crop/iou@10"],
    }


def test_durations():
    assert [in_words(s) for s in (0.2, 80, 150, 7000, 90000)] == ["1 s", "80 s", "2 min", "117 min", "25 h"]

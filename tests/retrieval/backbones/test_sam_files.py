"""Weight files and folders that are not what the SAM encoders are told: each refused, by name, with the remedy."""

import json

import pytest
import torch
from sam_cases import BOTH, TINY, encoder_state, save_hf_folder, save_official, whole_sam

from procrop.retrieval.backbones import HFSAMRetrieval


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    return save_official(tmp_path_factory.mktemp("sam") / "sam_tiny.pth")


@pytest.fixture(scope="module")
def hf_folder(tmp_path_factory):
    return save_hf_folder(tmp_path_factory.mktemp("hf") / "sam")


@BOTH
def test_weights_of_another_model_are_refused_with_counts(encoder_type, tmp_path):
    small = {k: v for k, v in TINY.items() if k != "depth"}
    state = encoder_state(small, "vit_l")
    torch.save(whole_sam(state)[0], tmp_path / "sam_vit_l.pth")
    # 14 tensors in each of the 12 blocks that vit_b does not have
    with pytest.raises(
        ValueError, match="not weights of SAM vit_b .*: 0 keys missing, 168 unexpected.*model_type"
    ):
        encoder_type(model_type="vit_b", checkpoint=tmp_path / "sam_vit_l.pth", arch=small)
    with pytest.raises(ValueError, match=r"0 keys missing, 0 unexpected, \d+ of another shape"):
        encoder_type(checkpoint=tmp_path / "sam_vit_l.pth", arch={**small, "embed_dim": 64, "depth": 24})


@BOTH
def test_anything_beside_sams_parts_is_refused(encoder_type, tmp_path):
    state, _ = whole_sam(encoder_state())
    torch.save({**state, "adapter.weight": torch.zeros(1)}, tmp_path / "adapted.pth")
    with pytest.raises(ValueError, match=r"0 keys missing, 1 unexpected, 0 .*adapter\.weight"):
        encoder_type(checkpoint=tmp_path / "adapted.pth", arch=TINY)
    del state["image_encoder.neck.2.weight"]
    torch.save(state, tmp_path / "short.pth")
    with pytest.raises(ValueError, match="1 keys missing, 0 unexpected"):
        encoder_type(checkpoint=tmp_path / "short.pth", arch=TINY)


class Trap:
    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@BOTH
def test_a_malicious_pickle_and_a_missing_file(encoder_type, tmp_path):
    torch.save({**encoder_state(), "trap": Trap(tmp_path / "ran")}, tmp_path / "trap.pth")
    with pytest.raises(ValueError, match=r"trap\.pth: cannot be read as weights"):
        encoder_type(checkpoint=tmp_path / "trap.pth", arch=TINY)
    assert not (tmp_path / "ran").exists()
    with pytest.raises(FileNotFoundError, match=r"lost\.pth.*segment-anything#model-checkpoints"):
        encoder_type(checkpoint=tmp_path / "lost.pth", arch=TINY)


def test_a_pretrained_folder_must_be_what_the_config_says(hf_folder, checkpoint, tmp_path):
    with pytest.raises(ValueError, match="holds another SAM than model_type and arch say.*embed_dim=32"):
        HFSAMRetrieval(pretrained=hf_folder)
    with pytest.raises(ValueError, match="num_heads=2.*num_heads=4"):
        HFSAMRetrieval(pretrained=hf_folder, arch={**TINY, "num_heads": 4})
    with pytest.raises(ValueError, match="either pretrained or checkpoint"):
        HFSAMRetrieval(pretrained=hf_folder, checkpoint=checkpoint, arch=TINY)
    with pytest.raises(ValueError, match="no revision"):
        HFSAMRetrieval(pretrained=hf_folder, revision="main", arch=TINY)
    with pytest.raises(ValueError, match="revision belongs to a hub name"):
        HFSAMRetrieval(checkpoint=checkpoint, revision="main", arch=TINY)
    with pytest.raises(FileNotFoundError, match=r"no config\.json there"):
        HFSAMRetrieval(pretrained=tmp_path, arch=TINY)
    with pytest.raises(FileNotFoundError, match="local_files_only=False downloads it"):
        HFSAMRetrieval(pretrained="nobody/has-this-sam", revision="0" * 40, arch=TINY)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c["vision_config"].update(hidden_act="relu"), "hidden_act is 'relu'"),
        (lambda c: c["vision_config"].update(patch_size=32), "patch_size is 32"),
        (lambda c: c.update(model_type="vit"), "a 'vit' model, not a SAM"),
    ],
)
def test_a_folder_of_another_network_is_refused(hf_folder, tmp_path, change, message):
    config = json.loads((hf_folder / "config.json").read_text())
    change(config)
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes((hf_folder / "model.safetensors").read_bytes())
    with pytest.raises(ValueError, match=message):
        HFSAMRetrieval(pretrained=tmp_path, arch=TINY)


@BOTH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(token_grid=(0, 4)), "token_grid"),
        (dict(key="pool"), "'mean' or 'grid'"),
        (dict(model_type="vit_x"), "vit_x"),
        (dict(arch=dict(dim=3)), "no 'dim'"),
        (dict(batch_size=0), "batch_size"),
    ],
)
def test_bad_settings_are_refused(encoder_type, arguments, message):
    with pytest.raises(ValueError, match=message):
        encoder_type(**{**dict(arch=TINY, random_weights_seed=0), **arguments})

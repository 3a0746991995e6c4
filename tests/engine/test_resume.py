"""A resumed run must be the run that was never interrupted, bit for bit."""

import shutil

import pytest
import torch
from tiny_training import read_losses, tiny_config
from toy_training import toy_config, train

from procrop.engine.checkpoint import CheckpointError, load_checkpoint_file
from procrop.engine.config_text import parse_config_text
from procrop.engine.resume import config_changes, find_resumable_checkpoint
from procrop.engine.runner import CropRunner


def run(cfg, stop_after=None):
    if stop_after is not None:
        cfg.default_hooks.losses.stop_after = stop_after
        with pytest.raises(KeyboardInterrupt):
            CropRunner.from_cfg(cfg).train()
        return None
    runner = CropRunner.from_cfg(cfg)
    runner.train()
    return runner


def assert_same(a, b, path=""):
    """Nested states are equal, tensors and floats bit for bit."""
    assert type(a) is type(b), path
    if isinstance(a, dict):
        assert list(a) == list(b), path
        for key in a:
            assert_same(a[key], b[key], f"{path}.{key}")
    elif isinstance(a, (list, tuple)):
        assert len(a) == len(b), path
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            assert_same(x, y, f"{path}[{i}]")
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b), path
    else:
        assert a == b, path


@pytest.mark.parametrize("workers, ema", [(0, False), (2, False), (0, True)])
def test_resume_equals_uninterrupted(tmp_path, workers, ema):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    whole.mkdir(), parts.mkdir()
    run(tiny_config(whole, workers=workers, ema=ema))
    run(tiny_config(parts, workers=workers, ema=ema), stop_after=2)
    run(tiny_config(parts, workers=workers, ema=ema, resume="auto"))

    losses = read_losses(whole / "losses")
    assert len(losses) == 16 and len({loss for _, _, loss in losses}) == 16
    assert read_losses(parts / "losses") == losses

    a, b = (load_checkpoint_file(folder / "epoch_4.pth") for folder in (whole, parts))
    for part in ("state_dict", "optimizer", "param_schedulers", *(["ema_state_dict"] if ema else [])):
        assert_same(a[part], b[part], part)
    for key in ("train/loss", "train/lr", "val/tiny/score", "train/grad_norm"):
        x, y = (c["message_hub"]["log_scalars"][key].data[0].tolist() for c in (a, b))
        assert x == y and len(x) == (16 if key.startswith("train") else len(x))
    for key in ("best_score", "keep_ckpt_ids", "epoch", "iter"):
        assert a["message_hub"]["runtime_info"][key] == b["message_hub"]["runtime_info"][key]
    best = [sorted(p.name for p in folder.glob("best_*.pth")) for folder in (whole, parts)]
    assert best[0] == best[1] and len(best[0]) == 1


@pytest.mark.slow
def test_toy_procrop_resumes_exactly(toy_data, tmp_path):
    """The real model on real loading: a worker that distorts photos, references, validation after every epoch."""

    def config(name, **settings):
        (tmp_path / name).mkdir(exist_ok=True)
        cfg = toy_config(toy_data, tmp_path / name, batch=4, launcher="none")
        cfg.train_dataloader.num_workers = 1
        cfg.train_cfg.val_interval = 1
        cfg.merge_from_dict(dict(experiment_name=f"{name}{len(settings)}", **settings))
        return cfg

    train(config("whole"))
    with pytest.raises(KeyboardInterrupt):
        train(config("parts"), stop_after=1)
    assert [path.name for path in (tmp_path / "parts").glob("epoch_*.pth")] == ["epoch_1.pth"]
    train(config("parts", resume="auto"))

    losses = read_losses(tmp_path / "whole/losses")
    assert len(losses) == 12 and len({loss for _, _, loss in losses}) == 12
    assert read_losses(tmp_path / "parts/losses") == losses
    a, b = (load_checkpoint_file(tmp_path / name / "epoch_3.pth") for name in ("whole", "parts"))
    for part in ("state_dict", "optimizer", "param_schedulers"):
        assert_same(a[part], b[part], part)
    figures = [c["message_hub"]["log_scalars"]["val/crop_best/iou@1"].data[0].tolist() for c in (a, b)]
    assert len(figures[0]) >= 2 and figures[0] == figures[1]


def test_seed_follows_the_checkpoint_when_the_config_has_none(tmp_path):
    """Without a seed in the config the sampler was built with another one than the checkpoint restores."""
    run(tiny_config(tmp_path, randomness=dict(seed=None)))
    whole = read_losses(tmp_path / "losses")
    (tmp_path / "losses.0").unlink()
    (tmp_path / "epoch_4.pth").unlink()
    run(tiny_config(tmp_path, randomness=dict(seed=None), resume=True))
    assert read_losses(tmp_path / "losses") == whole[12:]


def test_validation_does_not_change_training(tmp_path):
    with_val, without = tmp_path / "a", tmp_path / "b"
    with_val.mkdir(), without.mkdir()
    run(tiny_config(with_val))
    cfg = tiny_config(without)
    cfg.val_dataloader = cfg.val_cfg = cfg.val_evaluator = None
    cfg.default_hooks.checkpoint.pop("save_best")
    run(cfg)
    assert read_losses(with_val / "losses") == read_losses(without / "losses")


def test_epochs_differ(tmp_path):
    """Workers and dropout must not repeat their draws each epoch, nor the order of photos."""
    cfg = tiny_config(tmp_path, workers=1, dataset=dict(length=3), param_scheduler=None)
    cfg.optim_wrapper.optimizer.lr = 0.0
    run(cfg)
    losses = [loss for _, _, loss in read_losses(tmp_path / "losses")]
    assert len(set(losses)) == 4


def test_killed_between_checkpoint_and_validation(tmp_path):
    """The validation that was never run is made up for, so the best checkpoint is not lost."""
    run(tiny_config(tmp_path, epochs=4), stop_after=3)
    for best in tmp_path.glob("best_*.pth"):
        best.unlink()
    file = tmp_path / "epoch_3.pth"
    checkpoint = load_checkpoint_file(file)
    info = checkpoint["message_hub"]["runtime_info"]
    for key in (
        "validated_epoch",
        "best_score",
        "best_ckpt",
    ):  # as if killed before the first validation's end
        info.pop(key), checkpoint["message_hub"]["resumed_keys"].pop(key)
    torch.save(checkpoint, file)
    runner = CropRunner.from_cfg(tiny_config(tmp_path, epochs=3, resume=True))
    runner.train()
    assert [p.name for p in tmp_path.glob("best_*.pth")] == ["best_tiny_score_epoch_3.pth"]


def test_damaged_checkpoints_are_passed_over(tmp_path):
    run(tiny_config(tmp_path, epochs=3))
    newest, older = tmp_path / "epoch_3.pth", tmp_path / "epoch_2.pth"
    hint = tmp_path / "last_checkpoint"
    assert sorted(p.name for p in tmp_path.glob("epoch_*.pth")) == ["epoch_2.pth", "epoch_3.pth"]
    assert find_resumable_checkpoint(tmp_path) == newest
    for text in ("", "\0\0\0", "/gone/epoch_9.pth\n", str(newest)):
        hint.write_text(text)
        assert find_resumable_checkpoint(tmp_path) == newest
    hint.unlink()
    assert find_resumable_checkpoint(tmp_path) == newest
    moved = tmp_path.with_name(tmp_path.name + "_moved")
    shutil.copytree(tmp_path, moved)
    (moved / "last_checkpoint").write_text(str(older))  # names the old folder
    assert find_resumable_checkpoint(moved) == moved / "epoch_2.pth"

    newest.write_bytes(newest.read_bytes()[:1000])
    assert find_resumable_checkpoint(tmp_path) == older
    runner = CropRunner.from_cfg(tiny_config(tmp_path, epochs=3, resume="auto"))
    runner.train()
    assert [epoch for epoch, _, _ in read_losses(tmp_path / "losses")][-4:] == [2] * 4
    assert find_resumable_checkpoint(tmp_path) == newest

    older.write_bytes(b""), newest.write_bytes(b"")
    with pytest.raises(CheckpointError, match="none of its 2 checkpoints"):
        find_resumable_checkpoint(tmp_path)
    assert find_resumable_checkpoint(tmp_path / "nowhere") is None


def test_resume_with_another_model_is_refused(tmp_path):
    run(tiny_config(tmp_path, epochs=1))
    cfg = tiny_config(tmp_path, epochs=2, resume=True, model=dict(width=5))
    with pytest.raises(
        CheckpointError, match=r"epoch_1.pth: does not fit TinyModel \(1 of 4.*3 weights of another"
    ):
        CropRunner.from_cfg(cfg).train()


def test_resume_from_weights_alone_is_refused(tmp_path):
    run(tiny_config(tmp_path, epochs=1))
    bare = tmp_path / "weights.pth"
    torch.save({"state_dict": load_checkpoint_file(tmp_path / "epoch_1.pth")["state_dict"]}, bare)
    with pytest.raises(CheckpointError, match="weights.pth: cannot be resumed"):
        CropRunner.from_cfg(tiny_config(tmp_path, epochs=2, resume=str(bare))).train()


def test_changed_settings_are_told(tmp_path):
    run(tiny_config(tmp_path, epochs=1))
    cfg = tiny_config(tmp_path, epochs=2, batch=4, resume=True)
    runner = CropRunner.from_cfg(cfg)
    runner.train()
    log = next(tmp_path.glob(f"{runner.timestamp}/*.log")).read_text()
    assert "train_dataloader.batch_size: 3 -> 4" in log
    assert "train_cfg.max_epochs: 1 -> 2" in log
    assert "work_dir" not in log.split("The config has changed")[1].split("\n\n")[0].split("Load")[0][:500]


def test_config_changes_by_value():
    from mmengine.config import Config

    old = Config(dict(a=dict(b=[1, dict(c=2)]), work_dir="x", param_scheduler=[dict(gamma=0.1)], gone=1))
    new = Config(dict(a=dict(b=[1, dict(c=3)]), work_dir="y", param_scheduler=[dict(gamma=0.2)]))
    assert config_changes(old, new) == [
        "a.b[1].c: 2 -> 3",
        "gone: 1 -> absent",
        "param_scheduler[0].gamma: 0.1 -> 0.2 (the checkpoint's state wins)",
    ]
    assert config_changes(old, Config(parse_config_text(old.pretty_text))) == []

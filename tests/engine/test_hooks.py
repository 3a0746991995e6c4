"""The hooks, each by what would go wrong without it."""

import json
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.dataset import Compose
from tiny_training import TinyDataset, read_losses, tiny_config
from torch.utils.data import ConcatDataset, DataLoader, Subset

from procrop.datasets import CropDataset
from procrop.engine.checkpoint import CheckpointError, load_checkpoint_file
from procrop.engine.config_text import checkpoint_config
from procrop.engine.hooks import NonFiniteLossError, RetrievalFingerprintHook
from procrop.engine.hooks.epoch_seed_hook import EpochSeedHook, seed_everything
from procrop.engine.prediction_dump import PredictionDump
from procrop.engine.runner import CropRunner


def draws():
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_seed_everything_depends_on_every_part():
    seen = set()
    for entropy in [(0, 0, 0, 0), (1, 0, 0, 0), (0, 1, 0, 0), (0, 0, 1, 0), (0, 0, 0, 1)]:
        seed_everything(*entropy)
        first = draws()
        draws()
        seed_everything(*entropy)
        assert draws() == first
        seen.add(first)
    assert len(seen) == 5 and all(len({row[i] for row in seen}) == 5 for i in range(3))


def test_epoch_reaches_wrapped_datasets():
    inner = [TinyDataset(), TinyDataset(), TinyDataset()]
    dataset = ConcatDataset([Subset(inner[0], [1, 2]), ConcatDataset([inner[1]]), inner[2]])
    runner = SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=dataset), epoch=7, seed=0, rank=0, _randomness_cfg={}
    )
    EpochSeedHook().before_train_epoch(runner)
    assert [int(part.epoch) for part in inner] == [7, 7, 7]


class DrawnSamples(CropDataset):
    """Samples that are what the pipeline draws."""

    def load_data_list(self):
        return [dict(img_id=str(number)) for number in range(4)]


def drawn(seed, workers=0, config_seed=0):
    """Batches of a first epoch, the data within wrappers."""
    parts = [DrawnSamples(seed=config_seed, pipeline=[lambda results: (results["img_id"], *draws())])] * 2
    data = ConcatDataset([Subset(parts[0], [0, 3]), ConcatDataset([parts[1]])])
    loader = DataLoader(data, batch_size=2, num_workers=workers, collate_fn=list)
    runner = SimpleNamespace(train_dataloader=loader, seed=seed, epoch=0, rank=0, _randomness_cfg={})
    hook = EpochSeedHook()
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    return [row for batch in loader for row in batch]


def test_the_runs_seed_decides_what_the_data_draw():
    """--seed would otherwise change the order of photos, and never how they are distorted."""
    first, other = drawn(seed=1), drawn(seed=2)
    assert [row[0] for row in first] == [row[0] for row in other] == list("030123")
    assert all(a[i] != b[i] for a, b in zip(first, other, strict=True) for i in (1, 2, 3))
    assert first == drawn(seed=1) == drawn(seed=1, workers=2) == drawn(seed=1, config_seed=9)


def test_nan_stops_before_the_step(tmp_path):
    cfg = tiny_config(tmp_path, epochs=2, dataset=dict(bad_index=5))
    runner = CropRunner.from_cfg(cfg)
    with pytest.raises(NonFiniteLossError) as caught:
        runner.train()
    done = [json.loads(line) for line in (tmp_path / "losses.0").read_text().splitlines()]
    text = str(caught.value)
    assert f"iteration {len(done) + 1}: loss_mse = nan, loss_l1 = nan" in text
    named = text.split("Photos of the batch: ")[1].split(". ")[0].split(", ")
    assert "photo5" in named and len(named) == 3
    assert not any("photo5" in ids for *_, ids in done)
    assert all(torch.isfinite(value).all() for value in runner.model.state_dict().values())


def test_kill_while_writing_keeps_the_previous_checkpoint(tmp_path, monkeypatch):
    """A checkpoint is whole or absent; older ones go only after their successor is on the disk."""
    from procrop.io import atomic

    cfg = tiny_config(tmp_path, epochs=3)
    cfg.default_hooks.checkpoint.max_keep_ckpts = 1
    real, written = atomic.os.fsync, []

    def fsync(handle):
        names = [path.name for path in tmp_path.glob(".*.tmp")]
        written.append((names, sorted(path.name for path in tmp_path.glob("*.pth"))))
        if any("epoch_3" in name for name in names):
            raise OSError(28, "No space left on device")
        real(handle)

    monkeypatch.setattr(atomic.os, "fsync", fsync)
    with pytest.raises(OSError, match="No space left"):
        CropRunner.from_cfg(cfg).train()
    assert (tmp_path / "epoch_2.pth").is_file() and not (tmp_path / "epoch_3.pth").exists()
    assert not list(tmp_path.glob(".*.tmp"))
    assert (tmp_path / "last_checkpoint").read_text().endswith("epoch_2.pth")
    assert load_checkpoint_file(tmp_path / "epoch_2.pth")["meta"]["epoch"] == 2
    best_seen = [files for names, files in written if any(".best" in n for n in names)]
    assert all(any(f.startswith("best") for f in files) for files in best_seen[1:])

    monkeypatch.setattr(atomic.os, "fsync", real)
    cfg.resume = True
    CropRunner.from_cfg(cfg).train()
    assert [p.name for p in tmp_path.glob("epoch_*.pth")] == ["epoch_3.pth"]
    assert len(list(tmp_path.glob("best_*.pth"))) == 1


def test_best_checkpoint_is_the_best(tmp_path):
    cfg = tiny_config(tmp_path, epochs=4)
    runner = CropRunner.from_cfg(cfg)
    runner.train()
    scores = runner.message_hub.get_scalar("val/tiny/score").data[0].tolist()
    best = int(np.argmax(scores)) + 1
    file = tmp_path / f"best_tiny_score_epoch_{best}.pth"
    assert file.is_file() and len(list(tmp_path.glob("best_*.pth"))) == 1
    cfg.load_from = str(file)
    assert CropRunner.from_cfg(cfg).test()["tiny/score"] == scores[best - 1]


def test_copied_folder_leaves_the_original_alone(tmp_path):
    import shutil

    first = tmp_path / "first"
    first.mkdir()
    CropRunner.from_cfg(tiny_config(first, epochs=1)).train()
    second = tmp_path / "second"
    shutil.copytree(first, second)
    before = sorted(path.name for path in first.glob("*.pth"))
    checkpoint = load_checkpoint_file(second / "epoch_1.pth")
    checkpoint["message_hub"]["runtime_info"]["best_score"] = -1e9  # so that a later epoch is better
    torch.save(checkpoint, second / "epoch_1.pth")
    CropRunner.from_cfg(tiny_config(second, epochs=4, resume="auto")).train()
    assert sorted(path.name for path in first.glob("*.pth")) == before
    assert not (second / "best_tiny_score_epoch_1.pth").exists()


class FakeReferences:
    """Stands for LoadReferences."""

    def __init__(self, fingerprint, shape=(4, 8)):
        self.fingerprint, self.token_shape = fingerprint, shape

    def __call__(self, results):
        return results


def with_references(runner, fingerprint, shape=(4, 8)):
    dataset = runner.train_dataloader.dataset
    dataset.pipeline = Compose([FakeReferences(fingerprint, shape)])
    return dataset


def test_checkpoint_carries_config_and_fingerprint(tmp_path):
    cfg = tiny_config(tmp_path, epochs=1, retrieval=dict(backbone=dict(type="X", sizes=(3, 4))))
    runner = CropRunner.from_cfg(cfg)
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    with_references(runner, "ab" * 32)
    runner.train()
    checkpoint = load_checkpoint_file(tmp_path / "epoch_1.pth")
    own = checkpoint["meta"]["procrop"]
    assert own["world_size"] == 1
    assert own["retrieval"] == dict(
        fingerprint="ab" * 32, token_shape=(4, 8), config=dict(backbone=dict(type="X", sizes=[3, 4]))
    )
    inside = checkpoint_config(checkpoint)
    assert inside.model == dict(type="TinyModel") and inside.optim_wrapper.clip_grad.max_norm == 0.1

    hook = RetrievalFingerprintHook()
    hook.after_load_checkpoint(runner, checkpoint)
    with_references(runner, "cd" * 32)
    with pytest.raises(CheckpointError, match="encoder abababababab.*made by cdcdcdcdcdcd"):
        hook.after_load_checkpoint(runner, checkpoint)
    with_references(runner, "ab" * 32, shape=(8, 4))  # another grid of tokens
    with pytest.raises(CheckpointError, match=r"tokens \(4, 8\).*tokens \(8, 4\)"):
        hook.after_load_checkpoint(runner, checkpoint)
    with_references(runner, None)  # a run without references has nothing to compare
    hook.after_load_checkpoint(runner, checkpoint)


class FakeText:
    """Stands for LoadTextTokens."""

    def __init__(self, fingerprint, token_dim=8):
        config = dict(type="WordTextEncoder", sizes=(3, 4))
        self.text_encoder = fingerprint and dict(fingerprint=fingerprint, token_dim=token_dim, config=config)

    def __call__(self, results):
        return results


def test_checkpoint_carries_the_text_encoder(tmp_path):
    runner = CropRunner.from_cfg(tiny_config(tmp_path, epochs=1))
    runner._train_loop = runner.build_train_loop(runner._train_loop)
    dataset = runner.train_dataloader.dataset
    dataset.pipeline = Compose([FakeReferences("ab" * 32), FakeText("ef" * 32)])
    runner.train()
    checkpoint = load_checkpoint_file(tmp_path / "epoch_1.pth")
    own = checkpoint["meta"]["procrop"]
    config = dict(type="WordTextEncoder", sizes=[3, 4])
    assert own["text"] == dict(fingerprint="ef" * 32, token_dim=8, config=config)
    assert own["retrieval"]["fingerprint"] == "ab" * 32

    hook = RetrievalFingerprintHook()
    hook.after_load_checkpoint(runner, checkpoint)
    for other in (FakeText("cd" * 32), FakeText("ef" * 32, token_dim=16)):
        dataset.pipeline = Compose([FakeReferences("ab" * 32), other])
        words = r"text tokens of the encoder efefefefefef \(width 8\).*WordTextEncoder.*tools/text\.py build"
        with pytest.raises(CheckpointError, match=words):
            hook.after_load_checkpoint(runner, checkpoint)
    dataset.pipeline = Compose([FakeText(None)])  # a run without text has nothing to compare
    hook.after_load_checkpoint(runner, checkpoint)
    own["text"] = None
    dataset.pipeline = Compose([FakeText("cd" * 32)])
    hook.after_load_checkpoint(runner, checkpoint)
    dataset.pipeline = Compose([FakeText("cd" * 32), FakeText("ef" * 32)])
    with pytest.raises(CheckpointError, match="text tokens of 2 encoders"):
        hook.before_save_checkpoint(runner, {"meta": {}})


def test_two_encoders_in_one_training_are_refused(tmp_path):
    runner = CropRunner.from_cfg(tiny_config(tmp_path))
    parts = []
    for fingerprint in ("a", "b"):
        part = TinyDataset()
        part.pipeline = Compose([FakeReferences(fingerprint)])
        parts.append(part)
    fake = SimpleNamespace(
        train_dataloader=SimpleNamespace(dataset=ConcatDataset(parts)), cfg=runner.cfg, world_size=1
    )
    with pytest.raises(CheckpointError, match="2 encoders"):
        RetrievalFingerprintHook().before_save_checkpoint(fake, {"meta": {}})


def test_prediction_dump(tmp_path):
    runner = CropRunner.from_cfg(tiny_config(tmp_path, epochs=1))
    runner.test_evaluator.metrics.append(PredictionDump(tmp_path / "out.jsonl"))
    assert runner.test()["dump/photos"] == 5
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert [line["img_id"] for line in lines] == [f"photo{i}" for i in range(5)]
    assert lines[0] == dict(img_id="photo0", size=[8, 8], boxes=[[0.0, 1.0, 2.0, 3.0]], scores=[0.5])


def test_losses_of_rank_zero_are_logged(tmp_path):
    """The helper the other tests rely on."""
    CropRunner.from_cfg(tiny_config(tmp_path, epochs=1)).train()
    assert [row[:2] for row in read_losses(tmp_path / "losses")] == [(0, i) for i in range(4)]

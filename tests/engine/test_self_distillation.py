"""The hook of self-distillation: when the teacher begins, what checkpoints keep of it, and two processes."""

import shutil

import pytest
import torch
from mmengine.hooks import Hook
from test_distributed import HERE, rows, torchrun
from test_resume import assert_same, run
from tiny_training import TinyModel, read_losses, tiny_config
from toy_training import run as train_toy
from toy_training import toy_config

from procrop.engine.checkpoint import load_checkpoint_file, load_weights
from procrop.engine.runner import CropRunner
from procrop.models.heads import SoftTargets
from procrop.registry import MODELS


@MODELS.register_module(force=True)
class TinyDistilledModel(TinyModel):
    """A tiny model whose output can follow a teacher's."""

    takes_soft_targets = True
    teacher = None

    def forward(self, inputs, data_samples=None, mode="tensor"):
        if mode == "tensor":
            out = self.head(self.dropout(self.conv(torch.stack(inputs)).relu().mean((2, 3))))
            return out[None], None
        losses = super().forward(inputs, data_samples, mode)
        if mode == "loss" and self.teacher is not None:
            soft = self.teacher.soft_targets(inputs, data_samples)
            assert isinstance(soft, SoftTargets)
            out = self(inputs, data_samples)[0][-1].sigmoid()
            losses["loss_soft"] = soft.weight * ((out - soft.scores) ** 2).mean()
        return losses


def distilled(folder, begin_epoch=2, **settings):
    folder.mkdir(exist_ok=True)
    cfg = tiny_config(
        folder, custom_hooks=[dict(type="SelfDistillationHook", begin_epoch=begin_epoch)], **settings
    )
    cfg.model.type = "TinyDistilledModel"
    return cfg


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A training of four epochs, distilled in the last two; every checkpoint is kept."""
    folder = tmp_path_factory.mktemp("whole")
    cfg = distilled(folder)
    cfg.default_hooks.checkpoint.max_keep_ckpts = -1
    run(cfg)
    return folder


def test_teacher_begins_after_the_given_number_of_epochs(whole, tmp_path):
    teachers = [load_checkpoint_file(whole / f"epoch_{e}.pth").get("teacher_state_dict") for e in range(1, 5)]
    assert [teacher is not None for teacher in teachers] == [False, False, True, True]
    run(distilled(tmp_path / "never", begin_epoch=9))
    plain, ours = read_losses(tmp_path / "never/losses"), read_losses(whole / "losses")
    # the first distilled step starts from a teacher equal to the student, but for its dropout
    assert ours[:8] == plain[:8] and all(a != b for a, b in zip(ours[8:], plain[8:], strict=True))


def test_teacher_is_the_average_of_the_students_steps(tmp_path):
    """Replayed from outside: the weights after every step, averaged in float64."""
    cfg = distilled(tmp_path / "again")
    runner = CropRunner.from_cfg(cfg)
    average = {}

    class Replay(Hook):
        def before_train_epoch(self, runner):
            if runner.epoch == 2:
                average.update({n: p.detach().double().clone() for n, p in runner.model.named_parameters()})

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            for name, p in runner.model.named_parameters():
                if name in average:
                    average[name] = 0.5 * average[name] + 0.5 * p.detach().double()

    runner.register_hook(Replay())
    runner.train()
    kept = load_checkpoint_file(tmp_path / "again/epoch_4.pth")["teacher_state_dict"]
    assert kept.keys() == average.keys()
    for name, value in average.items():
        torch.testing.assert_close(kept[name].double(), value, atol=1e-6, rtol=1e-6)
    assert runner.model.teacher is None  # the model is left as it was


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_resume_equals_uninterrupted(whole, tmp_path, stop):
    """Stopped before the teacher begins, just then, and when it is under way."""
    run(distilled(tmp_path), stop_after=stop)
    run(distilled(tmp_path, resume="auto"))
    assert read_losses(tmp_path / "losses") == read_losses(whole / "losses")
    a, b = (load_checkpoint_file(folder / "epoch_4.pth") for folder in (whole, tmp_path))
    for part in ("state_dict", "teacher_state_dict", "optimizer"):
        assert_same(a[part], b[part], part)


def test_a_checkpoint_is_used_without_its_teacher(whole, tmp_path):
    """It fits a model that knows nothing of distillation, and a training that starts from it makes its own teacher."""
    with_teacher = load_checkpoint_file(whole / "epoch_4.pth")
    assert load_weights(TinyModel(), with_teacher).problems() == []
    cfg = distilled(tmp_path, begin_epoch=0, load_from=str(whole / "epoch_4.pth"), epochs=1)
    cfg.optim_wrapper.optimizer.lr = 0.0
    run(cfg)
    own = load_checkpoint_file(tmp_path / "epoch_1.pth")["teacher_state_dict"]
    assert_same(own, dict(with_teacher["state_dict"]))


def test_resumed_without_a_teacher_it_says_so(whole, tmp_path):
    shutil.copytree(whole, tmp_path / "run")
    file = tmp_path / "run/epoch_4.pth"
    checkpoint = load_checkpoint_file(file)
    del checkpoint["teacher_state_dict"]
    torch.save(checkpoint, file)
    cfg = distilled(tmp_path / "run", epochs=5, resume=True)
    runner = CropRunner.from_cfg(cfg)
    runner.train()
    log = next((tmp_path / "run").glob(f"{runner.timestamp}/*.log")).read_text()
    assert "The checkpoint holds no teacher" in log


def test_model_that_takes_no_targets_is_refused_at_the_start(tmp_path):
    cfg = tiny_config(tmp_path, custom_hooks=[dict(type="SelfDistillationHook")])
    with pytest.raises(ValueError, match="TinyModel cannot learn from a teacher"):
        CropRunner.from_cfg(cfg).train()


@pytest.mark.slow
def test_two_processes_distil_like_one(toy_data, tmp_path):
    """The toy ProCrop, distilled from the second epoch on: losses and teachers of two processes are those of one."""
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir(), two.mkdir()
    train_toy(toy_config(toy_data, one, batch=4, launcher="none", distil_from=1))
    torchrun(2, HERE / "toy_training.py", toy_data, two, "--batch", 2, "--distil-from", 1)
    single, parts = rows(one, 0), [rows(two, 0), rows(two, 1)]
    assert len(single) == 12
    for step, (_, _, loss, _) in enumerate(single):
        mean = sum(part[step][2] for part in parts) / 2
        assert mean == pytest.approx(loss, abs=1e-4), f"step {step}"
    a, b = (load_checkpoint_file(folder / "epoch_3.pth")["teacher_state_dict"] for folder in (one, two))
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], atol=2e-4, rtol=1e-3)

"""Two CPU processes train and evaluate like one with the same total batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from procrop.engine.checkpoint import load_checkpoint_file

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def torchrun(processes, script, *args, timeout=280, check=True):
    """Run a script under torchrun on the CPU, away from GPUs; returns the finished process."""
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    command = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        "--nproc-per-node",
        str(processes),
    ]
    done = subprocess.run(
        [*command, str(script), *map(str, args)],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
    )
    if check:
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done


def rows(folder, rank):
    """Rows (epoch, iteration, loss, photos) that LossLogHook wrote."""
    lines = [json.loads(line) for line in Path(folder, f"losses.{rank}").read_text().splitlines()]
    return [(epoch, step, float.fromhex(loss), ids) for epoch, step, loss, ids in lines]


def same_training(one, two, first=1e-5, ten=1e-4):
    """Compare losses step by step: two processes' mean against the single one's; same photos in every step."""
    single, parts = rows(one, 0), [rows(two, 0), rows(two, 1)]
    assert len(single) == len(parts[0]) == len(parts[1]) >= 10
    for step, row in enumerate(single[:10]):
        split = [part[step] for part in parts]
        assert {tuple(r[:2]) for r in split} == {tuple(row[:2])}
        assert sorted(row[3]) == sorted(split[0][3] + split[1][3])
        assert len(split[0][3]) == len(split[1][3])
        mean = np.mean([r[2] for r in split])
        assert abs(mean - row[2]) <= (first if step == 0 else ten), (
            f"step {step}: {row[2]} alone, {mean} with two"
        )


@pytest.fixture(scope="module")
def tiny_pair(tmp_path_factory):
    """Folders of the tiny training in one process with batches of 4, and in two with batches of 2."""
    folders = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    for processes, folder in enumerate(folders, start=1):
        torchrun(processes, HERE / "tiny_training.py", folder, "--batch", 4 // processes, "--epochs", 5)
    return folders


def test_two_processes_train_like_one(tiny_pair):
    same_training(*tiny_pair)
    one, two = (load_checkpoint_file(folder / "epoch_5.pth") for folder in tiny_pair)
    assert one["meta"]["procrop"]["world_size"] == 1 and two["meta"]["procrop"]["world_size"] == 2
    for key, value in one["state_dict"].items():
        assert torch.allclose(value, two["state_dict"][key], atol=1e-5), key


def test_two_processes_evaluate_like_one(tiny_pair):
    """The test set has 5 photos: the padding of the second process must not count."""
    single, threads = json.loads((tiny_pair[0] / "metrics.0.json").read_text())
    assert single["tiny/photos"] == single["tiny/rows"] == 5
    for rank in (0, 1):
        metrics, shared = json.loads((tiny_pair[1] / f"metrics.{rank}.json").read_text())
        assert metrics["tiny/photos"] == metrics["tiny/rows"] == 5
        assert metrics["tiny/score"] == pytest.approx(single["tiny/score"], abs=1e-5)
        assert shared == max(1, len(os.sched_getaffinity(0)) // 2)


def test_wrong_start_is_explained(monkeypatch):
    from procrop.engine.distributed import init_distributed

    for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(ValueError, match="dist_train.sh"):
        init_distributed("pytorch")
    init_distributed("none")
    assert not torch.distributed.is_initialized()

"""Two CPU processes train and evaluate like one with the same total batch."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from toy_training import run, toy_config

from procrop.engine.checkpoint import load_checkpoint_file

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def torchrun(processes, script, *args, timeout=280):
    """Run a script under torchrun on the CPU, away from GPUs."""
    env = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    env["PYTHONPATH"] = os.pathsep.join([str(ROOT), *filter(None, [env.get("PYTHONPATH")])])
    start = ["-m", "procrop.engine.torchrun", "--standalone", "--nproc-per-node", str(processes)]
    done = subprocess.run(
        [sys.executable, *start, str(script), *map(str, args)],
        env=env,
        capture_output=True,
        text=True,
        timeout=timeout,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def rows(folder, rank):
    """Rows (epoch, iteration, loss, photos) that LossLogHook wrote."""
    lines = [json.loads(line) for line in Path(folder, f"losses.{rank}").read_text().splitlines()]
    return [(epoch, step, float.fromhex(loss), ids) for epoch, step, loss, ids in lines]


def test_wrong_start_is_explained(monkeypatch):
    from procrop.engine.distributed import init_distributed

    for key in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(key, raising=False)
    with pytest.raises(ValueError, match="dist_train.sh"):
        init_distributed("pytorch")
    init_distributed("none")
    assert not torch.distributed.is_initialized()


@pytest.fixture(scope="module")
def toy_pair(toy_data, tmp_path_factory):
    """Folders of the toy ProCrop's training in one process with batches of 4, and in two with batches of 2."""
    one, two = tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two")
    run(toy_config(toy_data, one, batch=4, launcher="none"))
    torchrun(2, HERE / "toy_training.py", toy_data, two, "--batch", 2)
    return one, two


def test_two_processes_train_like_one(toy_pair):
    """Fixed sizes, no dropout, frozen normalisation: only the synchronised loss normalisers can go wrong."""
    one, two = toy_pair
    single, parts = rows(one, 0), [rows(two, 0), rows(two, 1)]
    assert len(single) == len(parts[0]) == len(parts[1]) == 12
    for step, (epoch, iteration, loss, photos) in enumerate(single[:10]):
        split = [part[step] for part in parts]
        assert all(row[:2] == (epoch, iteration) for row in split)
        assert [len(row[3]) for row in split] == [2, 2]
        assert sorted(photos) == sorted(split[0][3] + split[1][3])
        mean = np.mean([row[2] for row in split])
        assert abs(mean - loss) <= (1e-5 if step == 0 else 1e-4), f"step {step}: {loss} in one, {mean} in two"
    sizes = [
        load_checkpoint_file(folder / "epoch_3.pth")["meta"]["procrop"]["world_size"] for folder in toy_pair
    ]
    assert sizes == [1, 2]


def test_two_processes_share_the_cores(toy_pair):
    for rank in (0, 1):
        threads = json.loads((toy_pair[1] / f"metrics.{rank}.json").read_text())["threads"]
        assert threads == max(1, len(os.sched_getaffinity(0)) // 2)


def test_two_processes_evaluate_like_one(toy_pair):
    """One checkpoint, its own config, 5 photos: the sixth, with which the second process pads, must not count."""
    folder = toy_pair[1]
    command = [
        ROOT / "tools/test.py",
        folder / "epoch_3.pth",
        "--work-dir",
        folder / "alone",
        "--device",
        "cpu",
    ]
    command += ["--dump", folder / "dump.jsonl"]
    done = subprocess.run(
        [sys.executable, *map(str, command)], capture_output=True, text=True, cwd=ROOT, timeout=200
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    alone = json.loads((folder / "alone/test_metrics.json").read_text())
    assert alone.pop("dump/photos") == alone["crop_best/photos"] == 5
    for rank in (0, 1):
        both = json.loads((folder / f"metrics.{rank}.json").read_text())["metrics"]
        assert both == pytest.approx(alone, abs=1e-6)
    lines = [json.loads(line) for line in (folder / "dump.jsonl").read_text().splitlines()]
    assert len({line["img_id"] for line in lines}) == 5
    for line in lines:
        boxes, scores = np.array(line["boxes"]), np.array(line["scores"])
        assert line["size"] == [160, 120] and boxes.shape == (24, 4)
        assert (boxes >= 0).all() and (boxes[:, 2::2] <= 160).all() and (boxes[:, 1::2] <= 120).all()
        assert (boxes[:, 2:] > boxes[:, :2]).all() and (np.diff(scores) <= 0).all()

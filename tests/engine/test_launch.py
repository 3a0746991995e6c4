"""The command-line tools: what they say and how they exit."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from tiny_training import tiny_config

from procrop.engine.checkpoint import load_checkpoint_file
from procrop.engine.launch import sole_training

ROOT = Path(__file__).parents[2]


def tool(name):
    """A tool as a module."""
    spec = importlib.util.spec_from_file_location(f"tool_{name}", ROOT / f"tools/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run_tool(name, *args, **kwargs):
    command = [sys.executable, ROOT / "tools" / name, *args]
    return subprocess.run(
        [str(c) for c in command], capture_output=True, text=True, cwd=ROOT, timeout=120, **kwargs
    )


@pytest.fixture
def config(tmp_path):
    """A config file of the tiny training, which the tools run in this process."""
    cfg = tiny_config(tmp_path / "run", epochs=1)
    (tmp_path / "run").mkdir()
    path = tmp_path / "tiny.py"
    cfg.dump(str(path))
    return path


@pytest.mark.parametrize("name", ["train.py", "test.py"])
def test_help_imports_nothing_heavy(name):
    code = f"import runpy, sys; sys.argv = ['x', '--help']\ntry: runpy.run_path('tools/{name}', run_name='__main__')\n"
    code += "except SystemExit: print(sorted({'torch', 'mmengine', 'mmdet', 'numpy'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "[]"


HEAVY = {
    "mmengine.runner",
    "mmengine.hooks",
    "mmengine.optim",
    "mmdet.models",
    "mmdet.datasets",
    "transformers",
}


def test_missing_dataset_stops_early(tmp_path):
    """Before the config is validated and what a training needs is imported, which take seconds each."""
    args = [
        "tools/train.py",
        "configs/procrop_gaicv2.py",
        "--work-dir",
        str(tmp_path / "w"),
        "--device",
        "cpu",
    ]
    code = f"import runpy, sys; sys.argv = {args}\n"
    code += "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
    code += f"except SystemExit as stop: print(stop.code, sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.stdout.splitlines()[-1] == "2 []"
    assert "Traceback" not in done.stderr and not (tmp_path / "w").exists()
    for words in (
        "images/train",
        "make quickstart",
        "procrop gallery build data/ava/gallery_index --photos DIR --retrieval configs/procrop_gaicv2.py",
        "tools/neighbours.py configs/procrop_gaicv2.py",
    ):
        assert words in done.stderr


def test_folders_are_checked_by_the_datasets_themselves(tmp_path):
    from mmengine.config import Config
    from mmengine.registry import DefaultScope

    from procrop.engine.launch import UsageError, check_folders

    for folder in ("images/val", "annotations"):
        (tmp_path / folder).mkdir(parents=True)
    data = dict(type="GAICDataset", data_root="no/such")
    cfg = Config(
        dict(train_dataloader=dict(dataset=data), val_dataloader=dict(dataset=dict(data, split="val")))
    )
    with DefaultScope.overwrite_default_scope("procrop"):
        with pytest.raises(UsageError, match="no/such/images/val"):
            check_folders(cfg, [], ("val",))
        root = f"val_dataloader.dataset.data_root={tmp_path}"
        check_folders(cfg, [root], ("val", "test"))
        assert cfg.val_dataloader.dataset.data_root == "no/such"  # the options are merged once more, later
        with pytest.raises(UsageError, match="no/such/images/train"):
            check_folders(cfg, [root], ("train", "val"))
        # what only the validation can explain is left to it
        check_folders(cfg, ["train_dataloader.dataset.dataroot=x"], ("train",))
        for wrong in (dict(type="GAICDatset"), dict(data, dataroot="x"), dict(data, split="trian")):
            check_folders(Config(dict(train_dataloader=dict(dataset=wrong))), [], ("train",))


def test_a_missing_text_folder_is_named_with_its_command(tmp_path):
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from PIL import Image

    from procrop.engine.launch import UsageError, check_data, check_folders

    text = dict(type="LoadTextTokens", folder=str(tmp_path / "text"))
    data = dict(type="GAICDataset", data_root=str(tmp_path), split="val", pipeline=[], text=text)
    config = tmp_path / "mine.py"
    config.write_text("")
    cfg = Config(dict(val_dataloader=dict(dataset=data)), filename=str(config))
    with DefaultScope.overwrite_default_scope("procrop"):
        with pytest.raises(
            UsageError, match=r"images/val(.|\n)*Next it needs captions.*text\.py build .*mine\.py"
        ):
            check_folders(cfg, [], ("val",))
        for folder in ("images/val", "annotations/val"):
            (tmp_path / folder).mkdir(parents=True)
        Image.new("RGB", (20, 20)).save(tmp_path / "images/val/a.png")
        (tmp_path / "annotations/val/a.txt").write_text("2 2 18 18 4.0\n")
        check_folders(cfg, [], ("val",))
        with pytest.raises(
            UsageError, match=r"text: no such text folder; make it: python tools/text\.py build"
        ):
            check_data(cfg, ("val",))


def test_train_then_test(config, tmp_path, capsys):
    assert tool("train").main([str(config), "--seed", "5"]) == 0
    checkpoint = tmp_path / "run/epoch_1.pth"
    assert load_checkpoint_file(checkpoint)["meta"]["seed"] == 5
    out = ["--work-dir", str(tmp_path / "out")]
    assert tool("test").main([str(config), str(checkpoint), *out]) == 0
    with_config = (tmp_path / "out/test_metrics.json").read_text()
    assert tool("test").main([str(checkpoint), *out]) == 0
    assert (tmp_path / "out/test_metrics.json").read_text() == with_config
    assert '"tiny/score"' in with_config
    capsys.readouterr()


def test_one_training_in_a_folder(config, tmp_path, capsys, monkeypatch):
    work, lock = tmp_path / "run", tmp_path / "run/train.lock"
    with sole_training(work):
        text = lock.read_text()
        assert tool("train").main([str(config)]) == 2
        error = f"error: {work}: still being trained by pid {os.getpid()}; wait for it"
        assert error in capsys.readouterr().err
        assert lock.read_text() == text and not list(work.glob("*.pth"))
        monkeypatch.setenv("RANK", "1")  # process 0 holds it for all
        with sole_training(work):
            pass
        assert lock.read_text() == text
        monkeypatch.delenv("RANK")
    # one that was killed leaves its lock, which keeps nobody out
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    lock.write_text(text.replace(f'"pid": {os.getpid()}', f'"pid": {gone.pid}'))
    assert tool("train").main([str(config)]) == 0
    assert (work / "epoch_1.pth").is_file() and not lock.exists()


def test_command_line_wins_over_the_file(config):
    module = tool("train")
    from mmengine.config import Config

    args = [str(config), "--work-dir", "w", "--seed", "7", "--deterministic", "--resume", "--cfg-options"]
    args += ["work_dir=other", "randomness.seed=8", "train_cfg.max_epochs=9"]
    cfg = Config.fromfile(config)
    module.apply_options(cfg, module.parse_args(args))
    assert cfg.work_dir == "w" and cfg.resume == "auto" and cfg.train_cfg.max_epochs == 9
    assert cfg.randomness == dict(seed=7, deterministic=True)
    cfg = Config.fromfile(config)
    module.apply_options(cfg, module.parse_args([str(config), "--cfg-options", "randomness.seed=8"]))
    assert cfg.randomness.seed == 8 and "resume" not in cfg


def test_amp_decides_which_keys_the_wrapper_takes(config):
    from mmengine.config import Config

    from procrop.engine.config_validation import ConfigError

    module, option = tool("train"), ["--cfg-options", "optim_wrapper.dtype=bfloat16"]
    cfg = Config.fromfile(config)
    module.apply_options(cfg, module.parse_args([str(config), "--amp", *option]))
    assert (cfg.optim_wrapper.type, cfg.optim_wrapper.dtype) == ("AmpOptimWrapper", "bfloat16")
    cfg = Config.fromfile(config)
    module.apply_options(
        cfg, module.parse_args([str(config), "--amp", *option, "optim_wrapper.type=OptimWrapper"])
    )
    assert cfg.optim_wrapper.type == "AmpOptimWrapper"  # the named option wins
    with pytest.raises(ConfigError, match="dtype"):
        module.apply_options(Config.fromfile(config), module.parse_args([str(config), *option]))


def test_example_in_the_help_is_a_real_one():
    from mmengine.config import Config

    from procrop.engine.config_validation import merge_cfg_options

    text = " ".join(run_tool("train.py", "--help").stdout.split())
    options = text.split("--cfg-options KEY=VALUE [KEY=VALUE ...] e.g. ")[1].split()[:2]
    for path in ("configs/procrop_toy.py", "configs/procrop_gaicv2.py"):
        merge_cfg_options(Config.fromfile(ROOT / path), options)


def test_what_cannot_be_done_is_said(config, tmp_path, capsys):
    train, test = tool("train"), tool("test")
    junk = tmp_path / "junk.pth"
    junk.write_text("junk")
    cases = [
        (train, [str(config), "--work-dir", str(junk)], "junk.pth: is a file"),
        (train, [str(config), "--work-dir", str(junk / "run")], f"cannot be made, since {junk} is a file"),
        (test, [str(config), str(junk), "--dump", str(tmp_path)], f"{tmp_path}: is a folder"),
        (test, [str(config), str(junk), "--dump", str(junk / "a.jsonl")], f"since {junk} is a file"),
        (test, [str(config), str(junk), "--work-dir", str(junk)], "junk.pth: is a file"),
        (train, [str(tmp_path / "no.py")], "no.py: no such config file"),
        (train, [str(config), "--cfg-options", "model.widht=3"], "width"),
        (train, [str(config), "--cfg-options", "model.width"], "key=value"),
        (train, [str(config), "--cfg-options", "train_dataloader.dataset.length=0"], "has no photo"),
        (train, [str(config), "--resume", str(junk)], "junk.pth: damaged"),
        (test, [str(config), str(tmp_path / "no.pth")], "no.pth: no such checkpoint"),
        (test, [str(junk)], "junk.pth: damaged"),
    ]
    if not torch.cuda.is_available():
        cases += [
            (train, [str(config), "--amp"], "--amp: torch finds no CUDA"),
            (train, [str(config), "--device", "cuda"], "--device cuda: torch finds no CUDA"),
        ]
    for module, args, message in cases:
        assert module.main(args) == 2, args
        err = capsys.readouterr().err
        assert message in err and "Traceback" not in err, args
    broken = tmp_path / "broken.py"
    broken.write_text("a = (\n")
    assert (
        train.main([str(broken)]) == 2 and "broken.py: cannot be read as a config" in capsys.readouterr().err
    )


def test_places_to_write_to(tmp_path, monkeypatch):
    from procrop.engine import launch

    (tmp_path / "out.jsonl").write_text("of an earlier run")
    launch.check_outputs(tmp_path / "new/run", [tmp_path / "out.jsonl", tmp_path / "b/c.jsonl", None])
    assert [path.name for path in tmp_path.iterdir()] == ["out.jsonl"]  # nothing is made yet
    monkeypatch.setattr(launch.os, "access", lambda path, mode: Path(path) != tmp_path)
    for folder, files in ((tmp_path / "new/run", []), (tmp_path.parent, [tmp_path / "out.jsonl"])):
        with pytest.raises(launch.UsageError, match=f"{tmp_path} cannot be written to"):
            launch.check_outputs(folder, files)


def test_full_disk_is_one_line(config, tmp_path, capsys, monkeypatch):
    from procrop.io import atomic

    def full(_handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic.os, "fsync", full)
    assert tool("train").main([str(config)]) == 1
    err = capsys.readouterr().err.split("error: ")[-1]
    assert (
        err.startswith("No space left on device. Continue with: python tools/train.py")
        and "Traceback" not in err
    )


def test_errors_of_the_system_name_the_file(capsys):
    from procrop.engine.launch import guarded

    passed_on = "Caught PermissionError in DataLoader worker process 0.\nOriginal Traceback (most recent call last):\n"
    passed_on += "  ...\nPermissionError: [Errno 13] Permission denied: 'b.jpg'\n"
    for error, text in (
        (OSError(30, "Read-only file system", "w/a.pth"), "error: w/a.pth: Read-only file system. Go on.\n"),
        (
            PermissionError(passed_on),
            "error: PermissionError: [Errno 13] Permission denied: 'b.jpg'. Go on.\n",
        ),
    ):

        def job(error=error):
            raise error

        assert guarded(job, lambda: "Go on.") == 1
        assert capsys.readouterr().err == text


def test_nan_and_interruption(config, tmp_path, capsys):
    train = tool("train")
    assert train.main([str(config), "--cfg-options", "train_dataloader.dataset.bad_index=2"]) == 1
    assert "loss_mse = nan" in capsys.readouterr().err
    work = tmp_path / "a b"
    code = train.main(
        [str(config), "--work-dir", str(work), "--cfg-options", "default_hooks.losses.stop_after=0"]
    )
    err = capsys.readouterr().err
    assert code == 128 + signal.SIGINT
    assert f"python tools/train.py {config} --resume --work-dir '{work}' --cfg-options" in err


@pytest.mark.parametrize("workers", [0, 1])
def test_bad_photo_is_named(config, capsys, workers):
    options = ["train_dataloader.dataset.broken_index=7", f"train_dataloader.num_workers={workers}"]
    assert tool("train").main([str(config), "--cfg-options", *options]) == 1
    err = capsys.readouterr().err.split("error: ")[-1]
    assert (
        err.startswith("'photos/a.jpg': ")
        and "cut short" in err
        and "--resume" in err
        and "Traceback" not in err
    )


def test_bugs_keep_their_traceback(config, monkeypatch):
    """Only what a user can mend is put into one line."""
    from procrop.engine import launch

    def bug(*_):
        raise ValueError("a bug")

    monkeypatch.setattr(launch, "check_data", bug)
    with pytest.raises(ValueError, match="a bug"):
        tool("train").main([str(config)])


@pytest.mark.parametrize("name", ["dist_train.sh", "dist_test.sh"])
def test_scripts_want_a_number_of_processes(name):
    done = subprocess.run(
        ["bash", str(ROOT / "tools" / name), "config.py", "two"], capture_output=True, text=True
    )
    assert done.returncode == 2 and "usage:" in done.stderr


def test_torchrun_passes_exit_codes_on(tmp_path):
    script = tmp_path / "three.py"
    script.write_text("import sys\nsys.exit(3)\n")
    command = [
        sys.executable,
        "-m",
        "procrop.engine.torchrun",
        "--standalone",
        "--nproc-per-node",
        "2",
        str(script),
    ]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=120)
    assert done.returncode == 3 and "Traceback" not in done.stderr

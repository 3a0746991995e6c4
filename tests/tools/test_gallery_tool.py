"""tools/gallery.py and tools/neighbours.py as a user runs them: what they print and how they exit."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "tests" / "retrieval")]

import gallery as gallery_tool  # noqa: E402
import neighbours as neighbours_tool  # noqa: E402

from procrop.apis.shared_build import local_device  # noqa: E402

RETRIEVAL = """
custom_imports = dict(imports=["colour_backbone"])
retrieval = dict(backbone=dict(type="ColourBackbone"), key_transform=dict(type="Normalise"))
"""


def draw(path: Path, seed: int) -> None:
    colours = np.random.default_rng(seed).integers(20, 236, (2, 2, 3), dtype=np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(colours.repeat(32, 0).repeat(40, 1)).save(path, quality=95)


@pytest.fixture
def work(tmp_path):
    """A photo folder, a dataset in GAICD layout (train 5, val 3, test 3 photos) and a retrieval config."""
    for i in range(8):
        draw(tmp_path / "photos" / f"g{i}.png", i)
    for split, first, number in (("train", 100, 5), ("val", 200, 3), ("test", 300, 3)):
        for i in range(first, first + number):
            draw(tmp_path / "gaicd" / "images" / split / f"{i}.jpg", i)
            lines = "0 0 32 40 2.5\\n4 8 64 80 4.5\\n8 8 40 40 -2\\n".replace("\\n", "\n")
            path = tmp_path / "gaicd" / "annotations" / split / f"{i}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(lines)
    (tmp_path / "retrieval.py").write_text(RETRIEVAL)
    return tmp_path


def build(work, *arguments):
    return gallery_tool.main(
        ["build", str(work / "g"), "--retrieval", str(work / "retrieval.py"), *map(str, arguments)]
    )


def test_build_verify_info_search(work, capsys):
    assert build(work, "--photos", work / "photos") == 0
    assert "8 photos, 0 rejected" in capsys.readouterr().out
    assert gallery_tool.main(["verify", str(work / "g")]) == 0
    assert "8 photos, all well" in capsys.readouterr().out
    assert gallery_tool.main(["info", str(work / "g")]) == 0
    assert "ColourBackbone" in capsys.readouterr().out
    query = str(work / "photos" / "g3.png")
    search = ["search", str(work / "g"), "--query", query]
    assert gallery_tool.main([*search, "--k", "20", "--keep-own"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 9 and lines[1].split() == ["1", "1.0000", "3", "g3.png"]
    assert gallery_tool.main([*search, "--k", "2", "--exclude", "g3", "--keep-own"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3 and "g3.png" not in lines[1]


def test_search_passes_over_the_query_and_its_copies(work, capsys):
    photos = work / "photos"
    (photos / "a\ncopy.png").write_bytes((photos / "g3.png").read_bytes())
    build(work, "--photos", photos)
    (work / "elsewhere.png").write_bytes((photos / "g3.png").read_bytes())
    search = ["search", str(work / "g"), "--k", "20", "--query"]
    capsys.readouterr()
    for query in (photos / "g3.png", work / "elsewhere.png"):
        assert gallery_tool.main([*search, str(query)]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert sorted(line.split()[3] for line in lines[1:]) == [f"g{i}.png" for i in (0, 1, 2, 4, 5, 6, 7)]
    assert gallery_tool.main([*search, str(photos / "g3.png"), "--keep-own"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10 and lines[1].endswith("  a\\ncopy.png") and lines[2].endswith("  g3.png")


def test_rejected_photos_are_listed(work, capsys):
    (work / "photos" / "broken.png").write_bytes(b"")
    assert build(work, "--photos", work / "photos") == 1
    shown = capsys.readouterr()
    assert "8 photos, 1 rejected" in shown.out and "'broken.png'" in shown.err


def test_rejected_photos_of_a_part_are_listed(work, capsys):
    (work / "photos" / "broken.png").write_bytes(b"")
    arguments = ["--photos", work / "photos", "--shard-size", "3"]
    assert build(work, *arguments, "--shard", "0/2") == 1
    shown = capsys.readouterr()
    assert "part 0/2 with 5 photos, 1 rejected" in shown.out
    assert "rejected 'broken.png'" in shown.err and "9 photos take" in shown.err
    assert build(work, *arguments, "--shard", "0/2") == 1


def test_damage_is_listed(work, capsys):
    build(work, "--photos", work / "photos")
    (work / "photos" / "g2.png").unlink()
    (work / "g" / "index").write_bytes(b"")
    assert gallery_tool.main(["verify", str(work / "g")]) == 1
    shown = capsys.readouterr().out
    assert "index: 0 bytes" in shown and "g2.png" in shown and "2 problem(s)" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "OUT/none"], None),
        (["info", "OUT/none"], "never built to its end"),
        (["search", "OUT/none", "--query", "a.png"], "never built to its end"),
        (["build", "OUT/g", "--photos", "OUT/none", "--retrieval", "OUT/retrieval.py"], "none"),
        (["build", "OUT/g", "--photos", "OUT/photos", "--retrieval", "OUT/empty.py"], "holds no `retrieval"),
        (["build", "OUT/g", "--gaicd", "OUT/none", "--retrieval", "OUT/retrieval.py"], "none"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(work, capsys, arguments, message):
    (work / "empty.py").write_text("a = 1\n")
    code = gallery_tool.main([a.replace("OUT", str(work)) for a in arguments])
    shown = capsys.readouterr()
    if message is None:
        assert code == 1 and "never built" in shown.out
    else:
        assert code == 2 and message in shown.err and "Traceback" not in shown.err


def test_gaicd_photos_bring_their_crops(work):
    from procrop.retrieval import Gallery

    assert build(work, "--gaicd", work / "gaicd", "--split", "train") == 0
    gallery = Gallery.open(work / "g")
    assert gallery.names == [f"{i}.jpg" for i in range(100, 105)] and gallery.source_ids[0] == "100"
    boxes, scores, mask = gallery.crops([2])
    # y1 x1 y2 x2 of a photo of 80x64; the crop scored -2 was never scored
    np.testing.assert_allclose(boxes[0], [[0.25, 0.25, 0.5, 0.5], [0.55, 0.53125, 0.9, 0.9375]], atol=1e-6)
    np.testing.assert_allclose(scores[0], [2.5, 4.5])
    assert not mask.any()


def test_val_and_test_are_never_indexed(work, capsys):
    assert build(work, "--gaicd", work / "gaicd", "--split", "test") == 2
    assert "is for measuring" in capsys.readouterr().err and not (work / "g").exists()


def test_a_list_and_a_source_of_the_config(work, capsys):
    from procrop.retrieval import Gallery

    (work / "list.txt").write_text("g3.png\ng1.png\n../gaicd\n")
    assert build(work, "--list", work / "list.txt", "--root", work / "photos") == 1
    shown = capsys.readouterr()
    assert "2 photos, 0 rejected" in shown.out
    assert f"left out: 1 x photo outside {work / 'photos'}: {work / 'list.txt'}:3" in shown.err
    assert Gallery.open(work / "g").names == ["g3.png", "g1.png"]
    source = f'gallery_source = dict(type="FileListSource", path="{work}/list.txt", root="{work}/photos")\n'
    (work / "retrieval.py").write_text(RETRIEVAL + source)
    before = (work / "g" / "manifest.json").read_bytes()
    assert build(work) == 1
    assert (work / "g" / "manifest.json").read_bytes() == before


def test_ava_by_its_short_name(work, capsys):
    from procrop.retrieval import Gallery

    rows = []
    for number, (photo_id, mark) in enumerate([(100, 4), (101, 9), (102, 6), (103, 9)], 1):
        votes = [int(i == mark) for i in range(1, 11)]
        rows.append(" ".join(map(str, [number, photo_id, *votes, 1, 2, 3])))
    (work / "ava").mkdir()
    (work / "ava" / "AVA.txt").write_text("\n".join(rows))
    (work / "gaicd" / "images" / "train").rename(work / "ava" / "images")
    assert build(work, "--source", "ava", "--root", work / "ava", "--top", "3") == 0
    assert Gallery.open(work / "g").names == ["101.jpg", "103.jpg", "102.jpg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "name the photos with --photos, --list"),
        (["--source", "ava"], "needs --root"),
        (["--photos", "X", "--top", "3"], "--top goes with --source ava"),
        (["--photos", "X", "--root", "Y"], "--root goes with"),
        (["--photos", "X", "--split", "train"], "--split and --version go with --gaicd"),
        (["--source", "cpc", "--root", "X", "--version", "v1"], "--split and --version go with --gaicd"),
        (["--photos", "PHOTOS", "--shard", "2/2"], "--shard takes I/N"),
        (["--photos", "PHOTOS", "--shard", "one"], "--shard takes I/N"),
        (["--photos", "PHOTOS", "--shard", "0/2", "--refit"], "--refit does not go with --shard"),
        (["--photos", "PHOTOS", "--retrieval", "MISSPELT"], "did you mean `salt`"),
    ],
)
def test_arguments_that_do_not_go_together(work, capsys, arguments, message):
    (work / "misspelt.py").write_text(RETRIEVAL.replace('"ColourBackbone"', '"ColourBackbone", salt_=1'))
    places = {"PHOTOS": work / "photos", "MISSPELT": work / "misspelt.py"}
    assert build(work, *(places.get(argument, argument) for argument in arguments)) == 2
    shown = capsys.readouterr().err
    assert message in shown and "Traceback" not in shown and not (work / "g").exists()


def test_a_dry_run_says_the_cost_and_writes_nothing(work, capsys):
    assert build(work, "--photos", work / "photos", "--dry-run") == 0
    shown = capsys.readouterr().out
    assert "8 photos take" in shown and "keys    12 float32" in shown and "free at" in shown
    assert not (work / "g").exists()


def test_the_cost_is_said_before_a_build(work, capsys):
    build(work, "--photos", work / "photos")
    shown = capsys.readouterr().err
    assert shown.index("8 photos take") < shown.index("encoding")


def test_parts_are_built_and_merged(work, capsys):
    assert build(work, "--photos", work / "photos", "--shard-size", "2") == 0
    whole = (work / "g" / "manifest.json").read_bytes()
    parts = []
    for rank in range(3):
        part = work / f"part{rank}"
        parts.append(str(part))
        arguments = ["--photos", work / "photos", "--shard-size", "2", "--shard", f"{rank}/3"]
        build_arguments = [
            "build",
            str(part),
            "--retrieval",
            str(work / "retrieval.py"),
            *map(str, arguments),
        ]
        assert gallery_tool.main(build_arguments) == 0
    assert "part 2/3 with 2 photos, 0 rejected" in capsys.readouterr().out
    assert gallery_tool.main(["merge", str(work / "merged"), *parts]) == 0
    assert (work / "merged" / "manifest.json").read_bytes() == whole
    assert gallery_tool.main(["merge", str(work / "other"), *parts[:2]]) == 2
    assert "part 2/3 is missing" in capsys.readouterr().err


def test_processes_of_torchrun_share_the_work(work, monkeypatch, capsys):
    """As torchrun starts them: the same command, told apart by the environment."""
    arguments = ["--photos", work / "photos", "--shard-size", "2"]
    build(work, *arguments)
    whole = (work / "g" / "manifest.json").read_bytes()
    for path in sorted((work / "g").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    capsys.readouterr()
    monkeypatch.setenv("RANK", "1")
    assert build(work, *arguments) == 0 and capsys.readouterr().out == ""
    assert len(list((work / "g" / "parts" / "1" / "photos").iterdir())) == 2
    monkeypatch.setenv("RANK", "0")
    assert build(work, *arguments) == 0 and "8 photos" in capsys.readouterr().out
    assert (work / "g" / "manifest.json").read_bytes() == whole
    assert build(work, *arguments, "--shard", "0/2") == 2
    assert local_device("cuda") == "cuda:1" and local_device("cpu") == "cpu"


@pytest.mark.slow
def test_torchrun(work):
    """The real launcher, two processes."""
    build(work, "--photos", work / "photos", "--shard-size", "2")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += [str(ROOT / "tools" / "gallery.py"), "build", str(work / "h"), "--shard-size", "2"]
    command += ["--photos", str(work / "photos"), "--retrieval", str(work / "retrieval.py")]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests" / "retrieval")])
    done = subprocess.run(
        command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    assert (work / "h" / "manifest.json").read_bytes() == (work / "g" / "manifest.json").read_bytes()
    assert done.stdout.count("8 photos, 0 rejected") == 1 and "encoding 2/2" in done.stderr


def test_verify_finds_an_encoder_that_has_changed(work, capsys, monkeypatch):
    import colour_backbone

    build(work, "--photos", work / "photos")
    monkeypatch.setattr(colour_backbone.ColourBackbone, "fingerprint", "0" * 64)
    assert gallery_tool.main(["verify", str(work / "g")]) == 1
    assert "ColourBackbone (backbone) now has other weights" in capsys.readouterr().out


def write_config(work, k="3", references="references", extra=""):
    text = f"""
custom_imports = dict(imports=["colour_backbone"])
default_scope = "procrop"
{extra}
def_references = dict(type="LoadReferences", gallery="{work}/g", table="{work}/near.npz", k={k})
common = dict(type="GAICDataset", data_root="{work}/gaicd", version="v2")
train_dataloader = dict(dataset=dict(split="train", pipeline=[dict(type="LoadPhoto"), def_references], **common))
val_dataloader = dict(dataset=dict(split="val", references=def_references, pipeline=[], **common))
test_dataloader = dict(
    dataset=dict(type="ConcatDataset", datasets=[dict(split="test", pipeline=[def_references], **common)])
)
"""
    (work / "config.py").write_text(text)
    return str(work / "config.py")


def test_neighbours_of_all_splits_share_a_table(work, capsys):
    from procrop.retrieval import Gallery, NeighbourTable

    build(work, "--gaicd", work / "gaicd", "--split", "train")
    assert neighbours_tool.main([write_config(work), "--k", "4"]) == 0
    assert "11 photos, 4 neighbours each" in capsys.readouterr().out
    table = NeighbourTable.open(work / "near.npz", Gallery.open(work / "g"))
    assert sorted(table.query_ids) == [str(i) for i in (*range(100, 105), *range(200, 203), *range(300, 303))]
    for i in range(5):
        # a photo of the gallery finds the other four
        assert sorted(table.lookup(str(100 + i), 4)[0]) == [j for j in range(5) if j != i]
    assert neighbours_tool.main([write_config(work)]) == 0
    assert NeighbourTable.open(work / "near.npz").k == 3


def test_neighbours_says_what_is_missing(work, capsys):
    config = write_config(work)
    assert neighbours_tool.main([config]) == 2
    assert "procrop gallery build" in capsys.readouterr().err
    build(work, "--photos", work / "photos")
    assert neighbours_tool.main([config, "--k", "2"]) == 2
    assert "--k 2 is less than the 3" in capsys.readouterr().err
    (work / "plain.py").write_text("train_dataloader = dict(dataset=dict(type='GAICDataset', pipeline=[]))\n")
    assert neighbours_tool.main([str(work / "plain.py")]) == 2
    assert "no LoadReferences" in capsys.readouterr().err


def test_neighbours_takes_options(work):
    from procrop.retrieval import NeighbourTable

    build(work, "--photos", work / "photos")
    config = write_config(work)
    tables = [f"{split}_dataloader.dataset.references.table={work}/other.npz" for split in ("val",)]
    assert neighbours_tool.main([config, "--cfg-options", *tables]) == 0
    assert (
        len(NeighbourTable.open(work / "other.npz")) == 3 and len(NeighbourTable.open(work / "near.npz")) == 8
    )


@pytest.mark.parametrize("tool", ["gallery.py", "neighbours.py"])
def test_help_imports_nothing_heavy(tool):
    command = [sys.executable, "-X", "importtime", ROOT / "tools" / tool, "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    imported = {line.rsplit("|", 1)[1].strip() for line in shown.stderr.splitlines() if "|" in line}
    assert "Exit codes" in shown.stdout and "argparse" in imported
    assert not imported & {"numpy", "PIL", "cv2", "torch", "mmengine", "faiss"}


def test_manifest_holds_no_absolute_path(work):
    build(work, "--photos", work / "photos")
    text = (work / "g" / "manifest.json").read_text() + next((work / "g" / "photos").iterdir()).read_text()
    assert str(work) not in text
    assert json.loads((work / "g" / "manifest.json").read_text())["extra"]["photo_root"] == "../photos"

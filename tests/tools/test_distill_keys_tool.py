"""tools/distill_keys.py, and the tools that take what it writes."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "tests" / "retrieval")]

import distill_keys as tool  # noqa: E402
import gallery as gallery_tool  # noqa: E402
import neighbours as neighbours_tool  # noqa: E402
from colour_backbone import draw_photos  # noqa: E402
from distilled_gallery import GuardedTeacher, make_gallery  # noqa: E402


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("tool")
    make_gallery(root, 20)
    draw_photos(root / "more", 4, seed=3)
    return root


def run(root, *arguments):
    return tool.main(
        [str(root / "gallery"), "--image-size", "64", "--views", "1", "--epochs", "2", *map(str, arguments)]
    )


def test_from_the_gallery_to_a_search(root, capsys, monkeypatch):
    out = root / "small.safetensors"
    assert run(root, "--out", out, "--photos", root / "more", "--speed-photos", "2") == 0
    shown = capsys.readouterr()
    assert "held-out random" in shown.out and "epoch    2/2" in shown.out and "times as fast" in shown.out
    assert "teacher" in shown.err and "20/20" not in shown.err.split("student")[0]
    report = (root / "small.safetensors.md").read_text()
    assert "20 of the gallery and 4 further ones" in report and "photos/s" in report
    monkeypatch.setattr(GuardedTeacher, "forbidden", True)
    query = str(root / "photos" / "p003.png")
    assert (
        gallery_tool.main(["search", str(root / "gallery"), "--query", query, "--query-encoder", str(out)])
        == 0
    )
    assert len(capsys.readouterr().out.splitlines()) == 11
    # a second run asks before it replaces; a finished one has nothing left to do
    assert run(root, "--out", out) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_what_cannot_be_used_is_listed(root, tmp_path, capsys):
    bad = draw_photos(tmp_path / "bad", 2)
    (bad / "p000.png").write_bytes(b"no photo")
    code = run(root, "--out", tmp_path / "f.safetensors", "--photos", bad, "--speed-photos", "0")
    shown = capsys.readouterr()
    assert code == 1 and "p000.png" in shown.err
    assert "p000.png" in (tmp_path / "f.safetensors.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--val-share", "1"], "val_share must lie between 0 and 1"),
        (["--image-size", "100"], "multiple of 32"),
        (["--photos", "nowhere"], "the folder does not exist"),
        (["--epochs", "-1"], "must not be negative"),
    ],
)
def test_bad_arguments_are_refused(root, tmp_path, capsys, arguments, message):
    assert run(root, "--out", tmp_path / "f.safetensors", *arguments) == 2
    assert message in capsys.readouterr().err


def test_a_gallery_that_is_not_there(tmp_path, capsys):
    assert tool.main([str(tmp_path / "none"), "--out", str(tmp_path / "f.safetensors")]) == 2
    assert "procrop gallery build" in capsys.readouterr().err


def test_neighbours_are_found_with_it(root, tmp_path, capsys, monkeypatch):
    from procrop.retrieval import Gallery, NeighbourTable

    out = tmp_path / "n.safetensors"
    assert run(root, "--out", out, "--speed-photos", "0") == 0
    for split in ("images", "annotations"):
        (tmp_path / "gaicd" / split / "train").mkdir(parents=True)
    photo = (root / "photos" / "p001.png").read_bytes()
    (tmp_path / "gaicd" / "images" / "train" / "7.jpg").write_bytes(photo)
    (tmp_path / "gaicd" / "annotations" / "train" / "7.txt").write_text("0 0 8 8 3\n")
    (tmp_path / "config.py").write_text(f"""
default_scope = "procrop"
step = dict(type="LoadReferences", gallery="{root}/gallery", table="{tmp_path}/near.npz", k=3)
train_dataloader = dict(dataset=dict(
    type="GAICDataset", data_root="{tmp_path}/gaicd", version="v2", split="train", pipeline=[step]))
""")
    monkeypatch.setattr(GuardedTeacher, "forbidden", True)
    assert neighbours_tool.main([str(tmp_path / "config.py"), "--query-encoder", str(out)]) == 0
    table = NeighbourTable.open(tmp_path / "near.npz", Gallery.open(root / "gallery"))
    assert table.query_ids == ["7"] and 1 not in table.ids and (table.ids >= 0).all()

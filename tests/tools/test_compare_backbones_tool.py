"""tools/compare_backbones.py as a user runs it: figures against an independent computation, sheet, exit codes."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
sys.path += [str(ROOT / "tools"), str(ROOT / "tests" / "retrieval")]

import compare_backbones as tool  # noqa: E402
from line_scenes import COMPOSITIONS, draw_scene  # noqa: E402

SMALL_LITE = """
retrieval = dict(
    backbone=dict(type="EfficientNetLiteRetrieval", image_size=64, token_grid=(1, 1)),
    key_transform=dict(type="Normalise"),
)
"""


@pytest.fixture(scope="module")
def work(tmp_path_factory):
    """A gallery of 13 photos (one twice), four queries of which two lie in the gallery, and a finished comparison."""
    import skimage.data

    folder = tmp_path_factory.mktemp("compare")
    scenes = {f"scene_{i}": draw_scene(name, 1) for i, name in enumerate(COMPOSITIONS)}
    real = {name: getattr(skimage.data, name)() for name in ("astronaut", "chelsea", "coffee", "rocket")}
    for name, photo in (scenes | real).items():
        path = folder / "gallery" / ("real" if name in real else "drawn") / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(photo).save(path)
    coffee = (folder / "gallery" / "real" / "coffee.png").read_bytes()
    (folder / "gallery" / "copy.png").write_bytes(coffee)
    (folder / "queries").mkdir()
    (folder / "queries" / "cup.png").write_bytes(coffee)
    Image.fromarray(draw_scene("cross", 9)).save(folder / "queries" / "new_cross.png")
    Image.fromarray(skimage.data.coffee()[:, ::-1]).save(folder / "queries" / "mirrored.png")
    (folder / "lite.py").write_text(SMALL_LITE)
    assert run(folder, folder / "out", "--k", "3") == 0
    return folder


def run(work, out, *arguments, queries=(), backbones=None):
    queries = queries or [work / "queries", work / "gallery" / "real" / "rocket.png"]
    backbones = backbones or ["line_composition", f"small={work / 'lite.py'}"]
    given = [
        "--gallery",
        work / "gallery",
        "--queries",
        *queries,
        "--backbones",
        *backbones,
        "--out",
        out,
        *arguments,
    ]
    return tool.main([str(argument) for argument in given])


@pytest.fixture(scope="module")
def table(work):
    return json.loads((work / "out" / "table.json").read_text())


def test_neighbours_are_those_of_exact_search_without_the_query_itself(work, table):
    from procrop.io import list_photos, read_photo
    from procrop.retrieval.backbones import EfficientNetLiteRetrieval, LineCompositionRetrieval

    encoders = {
        "line_composition": LineCompositionRetrieval(),
        "small": EfficientNetLiteRetrieval(image_size=64, token_grid=(1, 1)),
    }
    root = work / "gallery"
    names = [p.relative_to(root).as_posix() for p in list_photos(root)]
    files = {"rocket.png": root / "real" / "rocket.png"} | {p.name: p for p in (work / "queries").iterdir()}
    own = {"rocket.png": {"real/rocket.png"}, "cup.png": {"copy.png", "real/coffee.png"}}
    assert [q["name"] for q in table["queries"]] == ["cup.png", "mirrored.png", "new_cross.png", "rocket.png"]
    for name, encoder in encoders.items():
        keys = encoder.encode([read_photo(root / n) for n in names]).keys
        keys /= np.linalg.norm(keys, axis=1, keepdims=True)
        for query in table["queries"]:
            key = encoder.encode([read_photo(files[query["name"]])]).keys[0]
            scores = dict(zip(names, (keys @ (key / np.linalg.norm(key))).tolist(), strict=True))
            allowed = [n for n in names if n not in own.get(query["name"], ())]
            wanted = sorted(allowed, key=lambda n: -scores[n])[:3]
            found = query["neighbours"][name]
            assert [entry["name"] for entry in found] == wanted
            assert [entry["score"] for entry in found] == pytest.approx([scores[n] for n in wanted], abs=1e-4)
    assert table["gallery_photos"] == {"line_composition": len(names), "small": len(names)}
    # the drawn cross is the last of the scenes
    assert table["queries"][2]["neighbours"]["line_composition"][0]["name"] == "drawn/scene_7.png"


def test_overlap_agreement_and_floor_can_be_worked_out_again(work, table):
    from procrop.evaluation.photo_composition import PhotoComposition
    from procrop.io import list_photos, read_photo

    root = work / "gallery"
    measured = {p.relative_to(root).as_posix(): PhotoComposition.of(read_photo(p)) for p in list_photos(root)}
    files = {"rocket.png": root / "real" / "rocket.png"} | {p.name: p for p in (work / "queries").iterdir()}
    own = {"rocket.png": {"real/rocket.png"}, "cup.png": {"copy.png", "real/coffee.png"}}
    shares, floors, means = [], [], {"line_composition": [], "small": []}
    for query in table["queries"]:
        composition = PhotoComposition.of(read_photo(files[query["name"]]))
        found = {name: [n["name"] for n in near] for name, near in query["neighbours"].items()}
        shares.append(len(set(found["small"]) & set(found["line_composition"])) / 3)
        for name, near in found.items():
            means[name].append(np.mean([composition.agreement(measured[n]) for n in near], axis=0))
        others = [m for n, m in measured.items() if n not in own.get(query["name"], ())]
        floors.append(np.mean([composition.agreement(m) for m in others], axis=0))
    (pair,) = table["overlap"]["pairs"]
    assert pair["overlap"] == pytest.approx(np.mean(shares))
    assert table["overlap"]["chance"] == pytest.approx(3 / len(measured))
    floor = np.mean(floors, axis=0)
    for i, measure in enumerate(("line_orientation", "subject_position")):
        assert table["floor"][measure] == pytest.approx(floor[i], abs=1e-5)
        for name, rows in means.items():
            figures, gains = table["agreement"][name][measure], np.array(rows)[:, i] - np.array(floors)[:, i]
            assert figures["mean"] == pytest.approx(np.mean(rows, axis=0)[i], abs=1e-5)
            assert figures["gain"] == pytest.approx(gains.mean(), abs=1e-5)
            assert figures["standard_error"] == pytest.approx(gains.std(ddof=1) / 2, abs=1e-5)


def test_the_table_is_written_for_people_too(work, table):
    text = (work / "out" / "table.md").read_text()
    assert f"4 queries, {table['gallery_photos']['small']} gallery photos, 3 neighbours each." in text
    mean = table["agreement"]["small"]["line_orientation"]["mean"]
    assert f"| small | {mean:.3f} |" in text and "| random gallery photos |" in text
    assert f"| small | {table['overlap']['pairs'][0]['overlap']:.3f} | 1 |" in text


def test_the_sheet_shows_the_neighbours(work, table):
    sheet = np.asarray(Image.open(work / "out" / "sheet.png").convert("RGB")).astype(int)
    width = 32 + 297 + 2 * (56 + 297 + 139) + 32
    assert sheet.shape == (92 + 4 * (34 + 198 + 52 + 36), width, 3)
    # the nearest neighbour of the third query by lines stands large at the left of the first block
    name = table["queries"][2]["neighbours"]["line_composition"][0]["name"]
    photo = Image.open(work / "gallery" / name)
    scale = min(297 / photo.width, 198 / photo.height)
    size = round(photo.width * scale), round(photo.height * scale)
    expected = np.asarray(photo.resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0)).astype(int)
    top, left = 92 + 2 * 320 + 18 + 34, 32 + 297 + 56
    shown = sheet[top : top + size[1], left : left + size[0]]
    assert np.abs(shown - expected).mean() < 1


def test_a_second_run_encodes_nothing_and_writes_the_same(work, monkeypatch):
    from procrop.retrieval.backbones import LineCompositionRetrieval

    before = {name: (work / "out" / name).read_bytes() for name in ("table.json", "table.md", "sheet.png")}
    batches, encode = [], LineCompositionRetrieval.encode
    monkeypatch.setattr(
        LineCompositionRetrieval,
        "encode",
        lambda self, images: batches.append(len(images)) or encode(self, images),
    )
    assert run(work, work / "out", "--k", "3") == 0
    assert batches == [1, 1, 1, 1]  # the queries
    assert {name: (work / "out" / name).read_bytes() for name in before} == before


def test_a_subset_and_rejected_photos(work, tmp_path, capsys):
    (tmp_path / "empty.png").write_bytes(b"")
    queries = [work / "gallery" / "real" / "chelsea.png", tmp_path / "empty.png"]
    code = run(
        work,
        tmp_path / "out",
        "--max-photos",
        "5",
        "--k",
        "9",
        queries=queries,
        backbones=["line_composition"],
    )
    shown = capsys.readouterr()
    assert code == 1 and "rejected query empty.png: the file is empty" in shown.err
    table = json.loads((tmp_path / "out" / "table.json").read_text())
    assert table["gallery_photos"] == {"line_composition": 5} and table["overlap"]["pairs"] == []
    (query,) = table["queries"]
    assert 4 <= len(query["neighbours"]["line_composition"]) <= 5
    assert table["agreement"]["line_composition"]["subject_position"]["standard_error"] is None
    assert list(table["rejected"]) == ["query empty.png"]


def test_subsets_are_evenly_spread():
    from procrop.apis.backbone_comparison import even_subset

    assert even_subset(range(10), 4) == [0, 3, 6, 9]
    assert even_subset("abc", 5) == ["a", "b", "c"] == even_subset("abc", None)
    assert even_subset(range(7), 1) == [0]
    assert len(set(even_subset(range(100), 77))) == 77


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(backbones=["no_such_encoder"]), "efficientnet_lite0"),
        (dict(backbones=["line_composition", "line_composition"]), "two encoders are named"),
        (dict(backbones=["../x=line_composition"]), "cannot name a folder"),
        (dict(backbones=["{work}/bare.py"]), "holds no `retrieval"),
        (dict(queries=["{work}/missing"]), "none of 1 queries can be used"),
        (dict(arguments=["--k", "0"]), "k must be at least 1"),
        (dict(arguments=["--max-photos", "0"]), "max_photos must be at least 1"),
        (dict(out="gallery/out"), "a folder of photos"),
        (dict(out="queries"), "a folder of photos"),
        (dict(out="lite.py"), "is a file"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(work, tmp_path, capsys, change, message):
    (work / "bare.py").write_text("a = 1\n")
    chosen = {
        key: [text.replace("{work}", str(work)) for text in change[key]]
        for key in ("backbones", "queries")
        if key in change
    }
    out = work / change["out"] if "out" in change else tmp_path / "out"
    assert run(work, out, *change.get("arguments", ()), **chosen) == 2
    shown = capsys.readouterr().err
    assert message in shown and "Traceback" not in shown
    assert not (tmp_path / "out" / "sheet.png").exists()

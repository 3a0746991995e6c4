"""What docs/adding_a_component.md shows works as it stands there."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from gallery_photos import write_gallery_photos

ROOT = Path(__file__).resolve().parents[2]


def _blocks(start):
    """Code blocks of the page whose first line is ``start``."""
    text = (ROOT / "docs" / "adding_a_component.md").read_text(encoding="utf-8")
    return [
        body for first, body in re.findall(r"```(python.*?)\n(.*?)```", text, re.S) if start in first + body
    ]


PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "configs").rglob("*.py"))]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_files_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:configs|tools|procrop|docs|tests)/[\w/.-]+\.(?:py|sh|md)\b", text))
    named -= {"configs/mine.py"}  # the reader's own
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
    for link in re.findall(r"\]\(([^)#]+\.md)", text):
        assert (path.parent / link).is_file(), link


def _anchors(page):
    """What the headings of a page can be linked by."""
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    titles = re.findall(r"^#+ (.+)$", text, re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_sections_that_are_linked_exist(path):
    for page, anchor in re.findall(r"\]\(([\w/.-]*)#([\w-]+)\)", path.read_text(encoding="utf-8")):
        assert anchor in _anchors(path.parent / page if page else path), f"{page}#{anchor}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_folders_that_are_named_exist(path):
    text = path.read_text(encoding="utf-8")
    named = set(re.findall(r"(?<![\w./-])((?:configs|tools|procrop)/[\w/]+)(?![\w.*<{/-])", text))
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


# tools with sub-commands have options for each
SUB_COMMANDS = ("tools/datasets.py", "tools/gallery.py", "tools/cad.py", "tools/train_artefact_filter.py")


@pytest.mark.parametrize(
    "page", ["reproduce.md", "evaluation.md", "generation.md", "generation_filter.md", "weak_training.md"]
)
def test_options_of_commands_exist(page):
    text = (ROOT / "docs" / page).read_text(encoding="utf-8").replace("\\\n", " ")
    commands = re.findall(r"python (tools/[\w/]+\.py)((?:[ \[]+[^`\n|#]*)?)", text)
    assert len(commands) > 2
    asked: dict[tuple[str, ...], set[str]] = {}
    for tool, rest in commands:
        sub = (rest.split()[0],) if tool in SUB_COMMANDS else ()
        asked.setdefault((tool, *sub), set()).update(re.findall(r"--[\w-]+", rest))
    for command, options in asked.items():
        if options:
            shown = subprocess.run(
                [sys.executable, *command, "--help"], cwd=ROOT, capture_output=True, text=True
            )
            assert shown.returncode == 0, shown.stderr
            assert sorted(options - set(re.findall(r"--[\w-]+", shown.stdout))) == [], command


@pytest.fixture(scope="module")
def example(tmp_path_factory):
    """A folder with my_cropping.py and configs/mine.py as the page has them; the module can be imported."""
    folder = tmp_path_factory.mktemp("example")
    module = "".join(_blocks('title="my_cropping.py"'))
    assert module.count("register_module") == 3
    (folder / "my_cropping.py").write_text(module)
    config = "".join(_blocks("# configs/mine.py"))
    config = config.replace('"procrop_toy.py"', repr(str(ROOT / "configs" / "procrop_toy.py")))
    (folder / "mine.py").write_text(config)
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


def test_the_config_passes_the_check_and_names_the_components(example):
    from mmengine.config import Config

    from procrop.engine.config_validation import validate_config

    cfg = Config.fromfile(example / "mine.py")
    validate_config(cfg)
    assert cfg.retrieval.backbone.type == "ColourGrid" and cfg.model.fusion.type == "AppendNeck"
    assert cfg.retrieval.index.type == "FaissIndex"  # what the config does not name stays


def test_photos_are_cropped_with_the_backbone_and_the_neck(example, tmp_path, untrained):
    from mmengine.config import Config

    from procrop.inference import CropInferencer
    from procrop.retrieval import build_gallery, items_from_folder

    cfg = Config.fromfile(example / "mine.py")
    paths = write_gallery_photos(tmp_path / "photos")
    items = items_from_folder(tmp_path / "photos")
    gallery = build_gallery(tmp_path / "index", items, cfg.retrieval.to_dict(), tmp_path / "photos")
    checkpoint = untrained(example / "mine.py", gallery, tmp_path / "model.pth")
    (result,) = CropInferencer(checkpoint, gallery=gallery.folder, device="cpu")(paths[4], top_k=24)
    assert result.boxes.shape == (24, 4) and len(result.references) == 6
    assert "p04.png" not in {ref.name for ref in result.references}


def test_the_backbone_keeps_its_contract(example):
    from my_cropping import ColourGrid

    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), dtype=np.uint8) for h, w in ((40, 60), (3, 2), (1, 1))]
    together = ColourGrid((2, 4)).encode(images)
    for i, image in enumerate(images):
        alone = ColourGrid((2, 4)).encode([image])
        np.testing.assert_array_equal(alone.keys[0], together.keys[i])
    np.testing.assert_allclose(together.keys[0, :3], images[0][:20, :15].mean((0, 1)) / 255, rtol=1e-6)
    assert ColourGrid((2, 4)).fingerprint != ColourGrid((4, 2)).fingerprint


def test_the_metric_gives_the_share_that_is_kept(example):
    from my_cropping import KeptArea

    metric = KeptArea()
    metric.dataset_meta = {}
    gt = dict(bboxes=np.array([[0, 0, 50, 40], [0, 0, 100, 80.0]]), scores=np.array([4.0, 3]))
    pred = dict(bboxes=np.array([[0, 0, 100, 80], [0, 0, 50, 20.0]]), scores=np.array([0.2, 0.9]))
    metric.process({}, [dict(img_id="a", ori_shape=(80, 100), gt_crops=gt, pred_instances=pred)])
    figures = metric.evaluate(1)
    assert figures["area/kept@1"] == pytest.approx(0.125)
    assert figures["area/random_kept@1"] == pytest.approx((0.25 + 1) / 2)

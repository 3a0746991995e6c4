"""docs/model_zoo.md is what the metafile says, and entries are measured as they are checked."""

import importlib.util
from pathlib import Path

import pytest
import yaml

from procrop.apis.model_zoo_page import BEGIN, END, measured, tables, with_tables
from procrop.io.manifest import sha256_file, write_manifest
from procrop.model_zoo import GalleryFile, ModelEntry, PublishedFile, Result
from procrop.model_zoo.metafile import ModelZoo, read_package_zoo

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tool(monkeypatch, tmp_path):
    """The tool, with a copy of the page."""
    spec = importlib.util.spec_from_file_location("model_zoo_tool", ROOT / "tools" / "model_zoo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = tmp_path / "model_zoo.md"
    page.write_text(module.PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(module, "PAGE", page)
    return module


def test_the_page_is_up_to_date(tool):
    assert tool.main(["page", "--check"]) == 0


def test_a_page_that_is_out_of_date_is_found_and_mended(tool, capsys):
    right = tool.PAGE.read_text(encoding="utf-8")
    tool.PAGE.write_text(right.replace("`cdetr_cpc`", "`cdetr_old`"), encoding="utf-8")
    assert tool.main(["page", "--check"]) == 1
    assert "out of date" in capsys.readouterr().err
    assert tool.main(["page"]) == 0
    assert tool.PAGE.read_text(encoding="utf-8") == right


def test_every_recipe_is_in_the_page_with_how_to_train_it():
    page = (ROOT / "docs" / "model_zoo.md").read_text(encoding="utf-8")
    for recipe in read_package_zoo().recipes.values():
        (line,) = [line for line in page.splitlines() if line.startswith(f"| `{recipe.name}`")]
        assert f"`{recipe.config}`" in line and all(f"`{command}`" in line for command in recipe.training)


def test_a_published_model_has_a_row():
    weights = PublishedFile("tiny", "weights", "tiny.pth", "a" * 64, 13_042_133, "CC0-1.0", Path("m.yml"))
    gallery = GalleryFile(
        "tiny", "gallery", "g", "b" * 64, 900_000, "MIT", Path("m.yml"), source="drawings", photos=1200
    )
    results = (Result("Image Cropping", "FLMS", {"crop/iou@1": 0.81, "crop/disp@1": 0.05}),)
    model = ModelEntry(
        "tiny", "ProCrop", "configs/procrop_toy.py", ("toy", "more"), weights, gallery, results
    )
    row = list(tables(ModelZoo(models={"tiny": model})))[3]
    assert row == (
        "| `tiny` | `configs/procrop_toy.py` | toy, more | FLMS: crop/iou@1 0.81<br>FLMS: crop/disp@1 0.05 | "
        f"13 MB, CC0-1.0 | 1,200 photos of drawings, 0.9 MB, MIT | `{'a' * 64}` |"
    )


def test_what_stands_around_the_tables_is_kept():
    page = f"# Title\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    made = with_tables(page, ModelZoo())
    assert made.startswith(f"# Title\n\n{BEGIN}\n\nNo trained weights") and made.endswith(f"{END}\n\nafter\n")
    with pytest.raises(ValueError, match="has no lines"):
        with_tables("# Title\n", ModelZoo())


def test_files_and_galleries_are_measured(tool, tmp_path, capsys):
    (tmp_path / "a.pth").write_bytes(b"12345")
    index = tmp_path / "gallery" / "index"
    index.mkdir(parents=True)
    (tmp_path / "empty").mkdir()
    (index / "keys.bin").write_bytes(b"keys")
    write_manifest(index, kind="gallery", version=1, fingerprint="f", files=["keys.bin"])
    assert tool.main(["measure", str(tmp_path / "a.pth")]) == 0
    digest = "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"  # sha256sum
    assert yaml.safe_load(capsys.readouterr().out) == {"SHA-256": digest, "Size": 5}
    manifest = index / "manifest.json"
    assert yaml.safe_load(measured(tmp_path / "gallery")) == {
        "SHA-256": sha256_file(manifest),
        "Size": manifest.stat().st_size + 4,
        "Folder": "index",
    }
    with pytest.raises(ValueError, match="holds 0 files manifest.json"):
        measured(tmp_path / "empty")
    assert tool.main(["measure", str(tmp_path / "nowhere")]) == 2
    assert "no such file" in capsys.readouterr().err

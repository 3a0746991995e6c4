"""The shipped configs that make datasets."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from procrop.apis.cad_generate import read_generation_config
from procrop.generation.errors import GenerationError
from procrop.generation.pipeline import generate
from procrop.generation.settings import GenerationSettings
from procrop.io import read_photo

FOLDER = Path(__file__).parents[2] / "configs" / "cad"
CONFIGS = sorted(FOLDER.glob("generate_*.py"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_key_and_type_exists(path):
    settings = read_generation_config(str(path), [])
    assert settings.expansions == 3 and [step["type"] for step in settings.steps][-1] == "RandomCrops"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("generation.expansion=3", "did you mean `expansions`"),
        ("generation.steps.0.type=RuleAnalyser", "did you mean `RuleAnalyzer`"),
        ("generation.steps.3.side=[700,800]", "did you mean `sides`"),
        ("generation.steps.5.checks.0.max_gradent=3", "did you mean `max_gradient`"),
        ("generation.source.rot=a", "did you mean `root`"),
        ("generation.source.type=FolderSauce", "did you mean `FolderSource`"),
    ],
)
def test_slips_are_named_with_the_right_word(option, message):
    with pytest.raises(ValueError, match=message):
        read_generation_config(str(FOLDER / "generate_embedded.py"), [option])


def test_the_steps_of_the_paper_have_what_they_need():
    """Their weights are not here, so that the order is checked with embedded steps in their places."""
    types = [step["type"] for step in read_generation_config(str(FOLDER / "generate_paper.py"), []).steps]
    embedded = {
        "OpenAIAnalyzer": "RuleAnalyzer",
        "SAMMasks": "SuperpixelMasks",
        "ControlNetOutpainter": "OpenCVOutpainter",
    }
    other = read_generation_config(str(FOLDER / "generate_embedded.py"), []).steps
    assert [embedded.get(name, name) for name in types] == [
        "OpenCVOutpainter" if step["type"] == "ReflectOutpainter" else step["type"] for step in other
    ]


def test_the_embedded_one_makes_a_dataset(tmp_path):
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for name in "ab":
        small = Image.fromarray(rng.integers(0, 256, (6, 9, 3), dtype=np.uint8))
        small.resize((900, 600), Image.Resampling.BICUBIC).save(tmp_path / "photos" / f"{name}.jpg")
    found = read_generation_config(str(FOLDER / "generate_embedded.py"), [])
    source = dict(type="FolderSource", root=str(tmp_path / "photos"))
    settings = GenerationSettings(source, found.steps, expansions=1)
    counts = generate(settings, tmp_path / "out").dataset
    assert counts.items == 2
    image = read_photo(tmp_path / "out/images/a_0.jpg")
    assert 700 <= min(image.shape[:2]) and max(image.shape[:2]) <= 1024
    shutil.rmtree(tmp_path / "photos")
    with pytest.raises(ValueError, match="the folder does not exist"):
        generate(settings, tmp_path / "again")


def test_a_config_without_generation(tmp_path):
    (tmp_path / "c.py").write_text("retrieval = None\n")
    with pytest.raises(ValueError, match=r"c.py: holds no `generation = dict\(source=..., steps=\[...\]\)`"):
        read_generation_config(str(tmp_path / "c.py"), [])
    (tmp_path / "c.py").write_text("generation = dict(steps=[dict(type='RandomCrops')])\n")
    with pytest.raises(GenerationError, match="`generation` has no `source`"):
        read_generation_config(str(tmp_path / "c.py"), [])


@pytest.mark.realdata
def test_real_photos_keep_their_licences(procrop_data, tmp_path):
    option = f"generation.source.root={procrop_data / 'photos'}"
    settings = read_generation_config(str(FOLDER / "generate_embedded.py"), [option])
    counts = generate(settings, tmp_path / "out", limit=2).dataset
    assert counts.items == 6 and counts.rejected == [] and set(counts.licences) <= {"CC0-1.0", "CC-BY-SA-3.0"}
    rows = [json.loads(line) for line in (tmp_path / "out/annotations.jsonl").read_text().splitlines()]
    assert all(row["extra"]["source"]["licence"] in counts.licences and row["tags"] for row in rows)
    # the label shows the photo: what lies in it is the photo scaled down, but for one JPEG
    row = rows[0]
    x1, y1, x2, y2 = row["crops"][0]["box"]
    label = read_photo(tmp_path / "out/images" / row["photo"])[y1:y2, x1:x2]
    photo = Image.fromarray(read_photo(procrop_data / "photos" / row["extra"]["source"]["photo"]))
    scaled = np.asarray(photo.resize((x2 - x1, y2 - y1), Image.Resampling.LANCZOS))
    assert np.abs(label.astype(int) - scaled).mean() < 2.5

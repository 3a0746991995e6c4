"""The learned classifier: its list, its training against scikit-learn, its file, and what it learns from drawings."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from drawings import draw
from PIL import Image

from procrop.generation import CADItem
from procrop.generation.classes import COMPOSITION_CLASSES
from procrop.generation.composition import read_class_list, read_composition_head
from procrop.generation.composition.composition_head import fit_composition_head
from procrop.generation.composition.training import cross_validate
from procrop.registry import GENERATION_STEPS

TOOL = Path(__file__).parents[3] / "tools" / "train_composition.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("train_composition", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, tool):
    """Four drawings a class, their list, the trained file, and the tool's exit code."""
    folder = tmp_path_factory.mktemp("drawn")
    lines = ["# drawn"]
    for name in COMPOSITION_CLASSES:
        for seed in range(4):
            Image.fromarray(draw(name, seed, (96, 128))).save(folder / f"{name}_{seed}.png")
            lines.append(f"{name}_{seed}.png\t{name}" + (", symmetric" if name == "pattern" else ""))
    (folder / "list.txt").write_text("\n".join(lines))
    out = folder / "head.safetensors"
    arguments = [str(folder / "list.txt"), "--photos", str(folder), "--out", str(out)]
    code = tool.main([*arguments, "--image-size", "96", "--folds", "2"])
    return folder, out, arguments, code


def test_classes_of_drawings_are_learned(drawn, tool, capsys):
    folder, out, arguments, code = drawn
    assert code == 0
    _, header = read_composition_head(out)
    measured = header["training"]["cross_validation"]
    assert measured["accuracy"] >= 0.75 and measured["floor"] < 0.3 and measured["folds"] == 2
    step = GENERATION_STEPS.build(dict(type="LearnedComposition", checkpoint=str(out)))
    hits = 0
    for name in COMPOSITION_CLASSES:
        photo = draw(name, 50, (96, 128))
        here, there = (
            step.run(CADItem("a", 0, "a.png", photo=view), np.random.default_rng(0)).composition
            for view in (photo, np.ascontiguousarray(photo[:, ::-1]))
        )
        assert here == there
        hits += here == name or (name == "pattern" and here == "symmetric")
    assert hits >= 7
    assert tool.main(arguments) == 2 and "--overwrite" in capsys.readouterr().err


def test_the_fit_is_that_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 1, 5)).astype(np.float32) * (1, 2, 3, 4, 5) + 1
    labels = rng.random((60, 9)) < 1 / (1 + np.exp(-features[:, 0, :1]))
    head = fit_composition_head(features.astype(np.float32), labels, 1e-2)
    x = (features[:, 0] - head.mean) * head.scale
    for i in range(9):
        reference = LogisticRegression(C=1 / (60 * 1e-2), tol=1e-8, max_iter=2000).fit(x, labels[:, i])
        np.testing.assert_allclose(head.weight[i], reference.coef_[0], atol=2e-2)
        np.testing.assert_allclose(head.bias[i], reference.intercept_[0], atol=1e-2)


def test_random_labels_give_no_more_than_chance():
    rng = np.random.default_rng(0)
    labels = np.eye(9, dtype=bool)[rng.integers(0, 9, 180)]
    found = cross_validate(rng.normal(size=(180, 1, 20)).astype(np.float32), labels, 4, 1e-2, 0)
    assert found.accuracy < 0.22
    with pytest.raises(ValueError, match="folds must be between 2"):
        cross_validate(np.zeros((3, 1, 2), np.float32), labels[:3], 5, 1.0, 0)


def test_names_of_classes_may_be_written_in_several_ways(tmp_path):
    for name in "ab":
        Image.new("RGB", (4, 4)).save(tmp_path / f"{name}.png")
    (tmp_path / "list.txt").write_text("# classes\n\na.png\tRoT, Rule-of thirds,center\nb.png\tPATTERN\n")
    found = read_class_list(tmp_path / "list.txt", tmp_path)
    named = [{COMPOSITION_CLASSES[i] for i in np.flatnonzero(row)} for row in found.labels]
    assert named == [{"rule_of_thirds", "centre"}, {"pattern"}]
    assert [path.name for path in found.paths] == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("a.png centre", "line 2: must be a file, a tab"),
        ("a.png\tgolden", "line 2: 'golden' is none of rule_of_thirds"),
        ("b.png\tcentre", "line 2: .*b.png is not there"),
        ("a.png\tcentre\na.png\tpattern", "line 3: a.png is in the list twice"),
        ("", "lists no photo"),
    ],
)
def test_a_malformed_list_names_its_line(tmp_path, line, message):
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "list.txt").write_text(f"# first\n{line}\n")
    with pytest.raises(ValueError, match=message):
        read_class_list(tmp_path / "list.txt", tmp_path)


def test_a_file_that_does_not_fit_is_refused(drawn, tmp_path):
    from safetensors.numpy import load_file, save_file

    with pytest.raises(ValueError, match="no such file"):
        read_composition_head(tmp_path / "none.safetensors")
    path = tmp_path / "head.safetensors"
    path.write_bytes(drawn[1].read_bytes()[:200])
    with pytest.raises(ValueError, match="head.safetensors: not a classifier"):
        read_composition_head(path)
    _, header = read_composition_head(drawn[1])
    arrays = load_file(drawn[1])

    def build(changed):
        save_file(arrays, path, metadata={"procrop": json.dumps(header | changed)})
        return GENERATION_STEPS.build(dict(type="LearnedComposition", checkpoint=str(path)))

    with pytest.raises(ValueError, match="for other classes"):
        build({"classes": ["a"]})
    other = build({"features": header["features"] | {"weights": "0" * 64}})
    with pytest.raises(ValueError, match="trained on other weights of EfficientNet-lite0"):
        other.run(CADItem("a", 0, "a", photo=np.zeros((9, 9, 3), np.uint8)), np.random.default_rng(0))
    assert other.fingerprint != build({}).fingerprint == build({"training": {}}).fingerprint

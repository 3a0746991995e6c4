"""Imports go one way, down the table of docs/architecture.md."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "procrop"
#: what the table says beside its order
EXCEPTIONS = {
    ("procrop/retrieval/sources/cpc.py", "datasets"),
    ("procrop/generation/detectors/mmdet_detector.py", "engine"),
}
HEAVY = {"torch", "torchvision", "mmcv", "mmdet", "mmengine", "transformers", "gradio"}
LIGHT = ("io", "model_zoo", "photofile", "visualization", "inference/selection")


@cache
def table():
    """Room -> what it may import, in words, in the order of the table."""
    rows = (ROOT / "docs/architecture.md").read_text(encoding="utf-8").splitlines()
    cells = [row.split("|") for row in rows if row.startswith("| `procrop/")]
    return {cell[1].strip().strip("`").removeprefix("procrop/"): cell[3].strip() for cell in cells}


def imports(path):
    """Modules that a file imports when it runs, those inside functions too; not those for type checkers."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and "TYPE_CHECKING" in ast.unparse(block.test)
        for node in ast.walk(block)
    }
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(tree):
        if id(node) in typing:
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) if node.level else ""
            module = ".".join(filter(None, (base, node.module)))
            yield module
            if module == "procrop":
                yield from (f"procrop.{name.name}" for name in node.names)


def rooms_of(path):
    parts = (name.split(".") for name in imports(path))
    return {part[1] for part in parts if part[0] == "procrop" and len(part) > 1 and part[1] in table()}


def test_every_room_is_in_the_table():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert rooms == set(table())


@pytest.mark.parametrize("room", table())
def test_a_room_imports_what_stands_above_it(room):
    order, allowed = list(table()), table()[room]
    above = set(order[: order.index(room)])
    if "above" not in allowed and ";" not in allowed:  # the rooms by their names, or none
        above &= {name.strip() for name in allowed.split(",")}
    wrong = {
        (path.relative_to(ROOT).as_posix(), other)
        for path in sorted((PACKAGE / room).rglob("*.py"))
        for other in rooms_of(path) - above - {room}
    }
    assert wrong - EXCEPTIONS == set()


@pytest.mark.parametrize("room", LIGHT)
def test_rooms_without_torch_import_nothing_heavy(room):
    for path in (PACKAGE / room).rglob("*.py"):
        heavy = {name.split(".")[0] for name in imports(path)} & HEAVY
        assert heavy == set(), path

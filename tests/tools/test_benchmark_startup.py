"""The benchmark of help texts knows all commands and measures what it says."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("startup", ROOT / "tools" / "benchmarks" / "startup.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_commands_and_tools_are_found(tool):
    found = tool.commands()
    assert {"procrop", "procrop models list", "tools/train.py", "tools/benchmarks/startup.py"} <= set(found)
    assert found["procrop cad stats"][-2:] == ["cad", "stats"]


def test_a_command_has_a_row(tool, tmp_path, capsys):
    assert tool.main(["--runs", "1", "--only", "models path", "--out", str(tmp_path / "t.md")]) == 0
    table = (tmp_path / "t.md").read_text()
    assert table == capsys.readouterr().out and table.count("\n") == 3
    assert "| `procrop models path --help` | 0." in table


def test_cold_starts_compile_and_warm_ones_do_not(tool, tmp_path):
    arguments = tool.commands()["procrop models path"]
    tool.cpu_seconds(arguments, tmp_path)
    compiled = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pyc")}
    assert any(path.name.startswith("cli.") for path in compiled)
    tool.cpu_seconds(arguments, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.pyc")} == compiled


def test_a_command_that_fails_is_told(tool, tmp_path):
    with pytest.raises(ValueError, match="exit code 1"):
        tool.cpu_seconds(["-c", "raise SystemExit(1)"], tmp_path)


def test_a_late_help_is_exit_code_1(tool, monkeypatch, capsys):
    monkeypatch.setattr(tool, "measure", lambda arguments, runs: (1.0, 0.6, 0.7))
    assert tool.main(["--only", "models path"]) == 1
    assert "0.600 s (0.700 s) | 1.000 s" in capsys.readouterr().out

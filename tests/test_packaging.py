"""The set-up script, the pinned packages and the promise that start-up is cheap."""

import os
import re
import runpy
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools
from light_start import HEAVY, modules_after, modules_after_help
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
# programs, not the modules that some of them share
TOOLS = sorted(
    path.relative_to(ROOT).as_posix()
    for path in ROOT.glob("tools/**/*.py")
    if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8")
)


@pytest.fixture(scope="module")
def metadata() -> dict:
    """Arguments that setup.py hands to ``setuptools.setup``, which is not run."""
    kept: dict = {}
    original, folder = setuptools.setup, os.getcwd()
    setuptools.setup = lambda **kwargs: kept.update(kwargs)
    os.chdir(ROOT)
    try:
        runpy.run_path(str(ROOT / "setup.py"))
    finally:
        setuptools.setup = original
        os.chdir(folder)
    return kept


@pytest.fixture(scope="module")
def pins() -> dict[str, Version]:
    """Package name to version in requirements.txt."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    requirements = [Requirement(line) for line in lines if line.strip() and not line.startswith("#")]
    result = {}
    for requirement in requirements:
        (spec,) = requirement.specifier
        assert spec.operator == "==", f"{requirement} is no pin"
        result[requirement.name] = Version(spec.version)
    assert len(result) == len(requirements), "a package is pinned twice"
    return result


# ---------------------------------------------------------------- ranges and pins


def test_every_requirement_is_a_range_that_holds_its_pin(metadata: dict, pins: dict[str, Version]) -> None:
    requirements = [Requirement(r) for r in metadata["install_requires"] + metadata["extras_require"]["dev"]]
    assert len(requirements) > 20
    for requirement in requirements:
        assert all(spec.operator in {">=", "<"} for spec in requirement.specifier), (
            f"{requirement} is no range"
        )
        assert len(requirement.specifier) >= 1, f"{requirement} has no lower bound"
        assert requirement.name in pins, f"{requirement.name} is not pinned in requirements.txt"
        assert requirement.specifier.contains(pins[requirement.name]), f"{requirement} excludes its pin"


def test_every_pin_is_asked_for(metadata: dict, pins: dict[str, Version]) -> None:
    tested = [r for extra in metadata["extras_require"] for r in metadata["extras_require"][extra]]
    asked = {Requirement(r).name for r in [*metadata["install_requires"], *tested]}
    assert set(pins) - asked == {"ninja", "psutil", "wheel"}  # these only compile mmcv


def test_verified_core_versions(pins: dict[str, Version]) -> None:
    core = {
        "torch": "2.12.0",
        "torchvision": "0.27.0",
        "mmengine": "0.10.7",
        "mmcv": "2.1.0",
        "mmdet": "3.3.0",
    }
    assert {name: str(pins[name]) for name in core} == core


def test_metadata(metadata: dict) -> None:
    text = (ROOT / "procrop" / "__init__.py").read_text(encoding="utf-8")
    assert f'__version__ = "{metadata["version"]}"' in text
    assert metadata["python_requires"] == ">=3.10,<3.13"
    assert set(metadata["extras_require"]) == {
        "milvus",
        "elasticsearch",
        "lpips",
        "generation",
        "lossless",
        "export",
        "demo",
        "dev",
    }
    assert metadata["entry_points"] == {"console_scripts": ["procrop=procrop.apis.cli:main"]}


def test_every_python_folder_is_packaged(metadata: dict) -> None:
    folders = {p.parent.relative_to(ROOT) for p in (ROOT / "procrop").rglob("*.py")}
    assert set(metadata["packages"]) == {".".join(folder.parts) for folder in folders}


def test_a_wheel_carries_the_model_zoo(tmp_path: Path) -> None:
    """All that lies in procrop/model_zoo and is no code: the metafile, and the files of models in the package."""
    sources = tmp_path / "sources"
    sources.mkdir()
    for name in ("setup.py", "pyproject.toml"):
        shutil.copy(ROOT / name, sources / name)
    shutil.copytree(ROOT / "procrop", sources / "procrop", ignore=shutil.ignore_patterns("__pycache__"))
    gallery = sources / "procrop" / "model_zoo" / "weights" / "a-model" / "gallery" / "index"
    gallery.mkdir(parents=True)
    (gallery / "manifest.json").write_text("{}")
    subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", "--build-lib", tmp_path / "built"],
        cwd=sources,
        check=True,
        capture_output=True,
        timeout=120,
    )
    built = {p.relative_to(tmp_path / "built") for p in (tmp_path / "built").rglob("*") if p.is_file()}
    data = {p.relative_to(sources) for p in (sources / "procrop" / "model_zoo").rglob("*") if p.is_file()}
    assert data <= built and Path("procrop/model_zoo/metafile.yml") in data


@pytest.mark.slow
def test_an_installed_wheel_crops_right_away(tmp_path: Path, published_zoo: Path) -> None:
    """A wheel with a published model, installed into a folder of its own, crops from another working folder."""
    sources, site, elsewhere = (tmp_path / name for name in ("sources", "site", "elsewhere"))
    shutil.copytree(ROOT / "procrop", sources / "procrop", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("setup.py", "pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, sources / name)
    zoo = sources / "procrop" / "model_zoo"
    if not list(zoo.glob("weights/*/*.safetensors")):
        shutil.copytree(published_zoo, zoo, dirs_exist_ok=True)
    pip = [sys.executable, "-m", "pip", "-q"]
    no_index = ["--no-deps", "--no-build-isolation", "--no-index"]
    run = dict(check=True, capture_output=True, text=True, timeout=300)
    subprocess.run([*pip, "wheel", *no_index, "-w", tmp_path, sources], **run)
    (wheel,) = tmp_path.glob("procrop-*.whl")
    subprocess.run([*pip, "install", *no_index, "--target", site, wheel], **run)
    elsewhere.mkdir()
    shutil.copy(next((site / "procrop").rglob("thumbnails/**/*.jpg")), elsewhere / "photo.jpg")
    code = "import procrop; print(procrop.__file__); r = procrop.crop('photo.jpg'); print(len(r.boxes), r.references)"
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PROCROP_")}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=elsewhere, env=environment | {"PYTHONPATH": str(site)}, **run
    )
    place, said = done.stdout.strip().splitlines()[-2:]
    assert Path(place).is_relative_to(site) and said.startswith("3 [Reference(") and "licence='CC" in said


# ---------------------------------------------------------------- cheap start-up


def test_modules_after_sees_heavy_imports() -> None:
    assert "numpy" in modules_after("import numpy")


def test_import_procrop_is_light() -> None:
    modules = modules_after("import procrop; procrop.__version__")
    assert "procrop" in modules
    assert not modules & HEAVY


@pytest.mark.parametrize("tool", TOOLS)
def test_help_of_a_tool_is_light(tool: str) -> None:
    run = f"import runpy\nsys.argv = [{tool!r}, '--help']\nrunpy.run_path({tool!r}, run_name='__main__')"
    assert not modules_after_help(run) & HEAVY


# ---------------------------------------------------------------- the set-up script


def fake_program(path: Path, body: str) -> Path:
    """Write an executable shell script."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Folder with what the set-up script reads, without a .venv."""
    root = tmp_path / "checkout"
    (root / "tools").mkdir(parents=True)
    for name in ("setup.py", "requirements.txt", "tools/setup_env.sh"):
        shutil.copy(ROOT / name, root / name)
    return root


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """The only folder of PATH: what the script calls, a right Python and 100 GB free; no compiler."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in (
        "awk",
        "bash",
        "cat",
        "cut",
        "dirname",
        "du",
        "flock",
        "mv",
        "rm",
        "sed",
        "sha256sum",
        "sh",
        "uname",
    ):
        found = shutil.which(name)
        assert found, f"{name} is not on this machine"
        (folder / name).symlink_to(found)
    include = tmp_path / "include"
    include.mkdir()
    (include / "Python.h").touch()
    # answers the version, then the headers' folder; makes no environment, so that nothing is ever installed
    fake_program(
        folder / "python3.11",
        f'case "$2" in *version_info*) echo 3.11;; *sysconfig*) echo {include};; *) exit 1;; esac',
    )
    fake_program(folder / "df", "echo Filesystem\necho disk 0 0 104857600 0% /")
    return folder


def run_setup(checkout: Path, programs: Path, **environment: str) -> subprocess.CompletedProcess:
    """Run the set-up script with an environment of nothing but PATH and ``environment``."""
    return subprocess.run(
        [str(programs / "bash"), str(checkout / "tools" / "setup_env.sh")],
        env={"PATH": str(programs), "HOME": str(checkout), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def assert_refused(done: subprocess.CompletedProcess, *words: str) -> None:
    """Exit code 1, one line on stderr with all ``words``, nothing else said."""
    assert done.returncode == 1, (done.stdout, done.stderr)
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stdout == ""
    assert done.stderr.startswith("setup: error: ")
    for word in words:
        assert word in done.stderr


def test_setup_refuses_another_python(checkout: Path, programs: Path) -> None:
    old = fake_program(programs / "python3.8", "echo 3.8")
    done = run_setup(checkout, programs, PYTHON=str(old))
    assert_refused(done, str(old), "is Python 3.8", "install Python 3.11", "PYTHON=/path/to/python3.11")
    assert not (checkout / ".venv").exists()


def test_setup_refuses_a_missing_python(checkout: Path, programs: Path) -> None:
    (programs / "python3.11").unlink()
    assert_refused(run_setup(checkout, programs), "python3.11 does not run", "install Python 3.11")


def test_setup_refuses_a_missing_compiler(checkout: Path, programs: Path) -> None:
    assert_refused(run_setup(checkout, programs), "no C++ compiler (c++)", "apt-get install g++")
    assert_refused(run_setup(checkout, programs, CXX="nowhere/g++"), "no C++ compiler (nowhere/g++)")


def test_setup_refuses_missing_python_headers(checkout: Path, programs: Path) -> None:
    fake_program(programs / "c++", "exit 0")
    (programs.parent / "include" / "Python.h").unlink()
    assert_refused(run_setup(checkout, programs), "no Python.h in", "apt-get install python3.11-dev")


def test_setup_refuses_a_full_disk(checkout: Path, programs: Path) -> None:
    fake_program(programs / "c++", "exit 0")
    fake_program(programs / "df", "echo Filesystem\necho disk 0 0 11534336 0% /")
    assert_refused(run_setup(checkout, programs), "only 11 GB free", "needs 12 GB", "free some")


def test_setup_needs_no_compiler_with_a_wheel(checkout: Path, programs: Path, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    environment = {"PIP_FIND_LINKS": f"/nowhere {wheels}"}
    (wheels / f"mmcv-2.1.0-cp310-cp310-linux_{os.uname().machine}.whl").touch()
    assert_refused(run_setup(checkout, programs, **environment), "no C++ compiler")
    (wheels / f"mmcv-2.1.0-cp311-cp311-linux_{os.uname().machine}.whl").touch()
    done = run_setup(checkout, programs, **environment)
    assert "[1/6]" in done.stdout  # past the checks; the fake Python then makes no environment
    assert done.returncode == 1
    assert "can make no virtual environment" in done.stderr


def test_finished_setup_is_reused_and_a_changed_one_is_not(checkout: Path, programs: Path) -> None:
    fake_program(checkout / ".venv" / "bin" / "python", "echo 3.11")
    fake_program(programs / "df", "exit 1")  # neither disk nor compiler is asked for once it is finished
    lines = (checkout / "tools" / "setup_env.sh").read_text(encoding="utf-8").splitlines()
    (key_line,) = [line for line in lines if line.startswith("key()")]
    key = subprocess.run(
        ["bash", "-c", f"{key_line}; key"], cwd=checkout, capture_output=True, text=True, check=True
    )
    assert re.fullmatch(r"[0-9a-f]{64}\n", key.stdout)
    (checkout / ".venv" / ".procrop-setup").write_text(key.stdout, encoding="utf-8")
    done = run_setup(checkout, programs)
    assert (done.returncode, done.stdout, done.stderr) == (0, "setup: already done\n", "")
    for name in ("setup.py", "requirements.txt", "tools/setup_env.sh"):
        original = (checkout / name).read_text(encoding="utf-8")
        (checkout / name).write_text(original + "\n# changed\n", encoding="utf-8")
        assert run_setup(checkout, programs).returncode == 1, f"a changed {name} goes unnoticed"
        (checkout / name).write_text(original, encoding="utf-8")
    assert run_setup(checkout, programs).returncode == 0


def test_setup_refuses_an_environment_of_another_python(checkout: Path, programs: Path) -> None:
    fake_program(programs / "c++", "exit 0")
    fake_program(checkout / ".venv" / "bin" / "python", "echo 3.12")
    done = run_setup(checkout, programs)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert ".venv holds a Python 3.12 instead of 3.11" in done.stderr
    assert "rm -rf" in done.stderr


# ---------------------------------------------------------------- make and CI


def run_make(*words: str) -> str:
    """Output of make, as typed in a shell (not as a part of the make that runs these tests)."""
    environment = {
        name: value for name, value in os.environ.items() if "MAKE" not in name and name != "MFLAGS"
    }
    done = subprocess.run(
        ["make", *words], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_without_a_word_lists_every_target() -> None:
    listed = set(re.findall(r"^ +make (\w+)", run_make(), flags=re.MULTILINE))
    assert listed == {"help", "setup", "quickstart", "test", "lint", "bench", "mechanism", "lite", "clean"}


@pytest.mark.parametrize("target", ["quickstart", "test", "lint", "bench", "mechanism"])
def test_targets_set_up_first_and_call_files_that_exist(target: str) -> None:
    first, *rest = run_make("-n", target).splitlines()
    assert first == "bash tools/setup_env.sh"
    assert rest
    for script in re.findall(r"tools/\S+\.py", "\n".join(rest)):
        assert (ROOT / script).is_file(), script


@pytest.mark.parametrize("code", [0, 2])
def test_ci_passes_on_the_exit_code(tmp_path: Path, code: int) -> None:
    """``.ci/run`` calls ``make lint test`` in the checkout and finds the folders beside it."""
    checkout = tmp_path / "checkout"
    (checkout / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", checkout / ".ci" / "run")
    for name in ("wheels", "data"):
        (tmp_path / "shared" / name).mkdir(parents=True)
    make = fake_program(
        tmp_path / "bin" / "make", f'echo "$PWD|$*|$PIP_FIND_LINKS|$PROCROP_DATA"; exit {code}'
    )
    environment = {"PATH": f"{make.parent}:{os.environ['PATH']}", "PIP_FIND_LINKS": "elsewhere"}
    done = subprocess.run(
        ["bash", ".ci/run"],
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code
    shared = tmp_path / "shared"
    assert done.stdout == f"{checkout}|lint test|{shared}/wheels elsewhere|{shared}/data\n"

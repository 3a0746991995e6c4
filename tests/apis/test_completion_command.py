"""`procrop completion`, tried in a real bash."""

import shutil
import subprocess

import pytest

from procrop.apis.cli import main


@pytest.fixture(scope="module")
def script(tmp_path_factory):
    """The bash script in a file."""
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["completion", "bash"]) == 0
    path = tmp_path_factory.mktemp("completion") / "procrop.bash"
    path.write_text(out.getvalue())
    return path


def complete(script, folder, *words):
    """What bash offers for the last of ``words`` of a command line."""
    bash = shutil.which("bash")
    assert bash, "there is no bash on this machine"
    line = (
        'source "$0"\n'
        'function=$(complete -p procrop | sed "s/.*-F \\([^ ]*\\) .*/\\1/")\n'
        'COMP_WORDS=(procrop "$@"); COMP_CWORD=$#; COMP_LINE="${COMP_WORDS[*]}"; COMP_POINT=${#COMP_LINE}\n'
        '"$function" procrop "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"\n'
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    done = subprocess.run(
        [bash, "--norc", "--noprofile", "-c", line, script, *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return set(done.stdout.split())


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "model.pth").touch()
    (tmp_path / "modest photos").mkdir()
    (tmp_path / "models").mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["cro"], {"crop"}),
        (["mod"], {"models"}),
        (["models", "d"], {"download"}),
        (["cad", "gen"], {"generate"}),
        (["crop", "--check"], {"--checkpoint"}),
        (["datasets", "show", "--so"], {"--sort"}),
        (["datasets", "show", "--sort", "ra"], {"random"}),
        (["completion", "z"], {"zsh"}),
        (["--ver"], {"--version"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_options_and_values(script, tmp_path, words, offered):
    assert complete(script, tmp_path, *words) == offered


def test_files_where_a_file_is_wanted(script, folder):
    assert {"model.pth", "models"} <= complete(script, folder, "crop", "--checkpoint", "mod")


def test_folders_where_a_folder_is_wanted(script, folder):
    offered = complete(script, folder, "cad", "generate", "--out", "mod")
    assert "models" in offered and "model.pth" not in offered


def test_no_file_where_a_number_is_wanted(script, folder):
    assert complete(script, folder, "datasets", "show", "--limit", "mod") == set()


@pytest.mark.parametrize("shell", ["zsh", "tcsh", "fish"])
def test_other_shells_get_a_script_with_all_commands(shell, capsys):
    assert main(["completion", shell]) == 0
    text = capsys.readouterr().out
    for word in ("crop", "models", "completion", "checkpoint"):
        assert word in text


def test_an_unknown_shell_is_an_error(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["completion", "csh"])
    assert stop.value.code == 2 and "bash" in capsys.readouterr().err


def test_an_old_shtab_is_named(monkeypatch, capsys):
    import shtab

    monkeypatch.setattr(shtab, "SUPPORTED_SHELLS", ["bash", "zsh", "tcsh"])
    assert main(["completion", "fish"]) == 2
    assert "pip install -U shtab" in capsys.readouterr().err

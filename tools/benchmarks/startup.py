#!/usr/bin/env python
"""How long a help text takes: CPU time of `--help` of procrop, of each sub-command and of each tool.

    python tools/benchmarks/startup.py [--runs 5] [--only WORD] [--out FILE.md]

"warm" has the modules' bytecode on the disk, as any second start; "cold" compiles every module that it imports, those
of Python included. Exit code 1 when a warm start is over the target of 0.5 s.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = 0.5
_PROCROP = "import sys; from procrop.apis.cli import main; sys.exit(main())"


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="startup.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--runs", type=int, default=5, metavar="N", help="runs of each (default: %(default)s)"
    )
    parser.add_argument(
        "--only", default="", metavar="WORD", help="take commands with this word in them alone"
    )
    parser.add_argument("--out", metavar="FILE.md", help="write the table there")
    return parser


def commands() -> dict[str, list[str]]:
    """What a person types -> arguments of the Python interpreter."""
    from procrop.apis import cli

    found = {
        " ".join(["procrop", *words]): ["-c", _PROCROP, *words]
        for words, _ in cli.each_command(cli.make_parser())
    }
    for path in [*sorted(ROOT.glob("tools/*.py")), *sorted(ROOT.glob("tools/benchmarks/*.py"))]:
        if 'if __name__ == "__main__"' in path.read_text(encoding="utf-8"):
            name = path.relative_to(ROOT).as_posix()
            found[name] = [name]
    return found


def cpu_seconds(arguments: list[str], bytecode: Path) -> float:
    """User and system time of one ``--help``; compiled modules are read from, and written to, ``bytecode``.

    Raises:
        ValueError: The command does not end with exit code 0.
    """
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(paths), "PYTHONPYCACHEPREFIX": str(bytecode)}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    process = subprocess.Popen(
        [sys.executable, *arguments, "--help"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise ValueError(f"{' '.join(arguments)} --help: exit code {process.returncode}")
    return usage.ru_utime + usage.ru_stime


def measure(arguments: list[str], runs: int) -> tuple[float, float, float]:
    """CPU seconds: median of the cold starts, median and most of the warm ones."""
    cold, warm = [], []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            cold.append(cpu_seconds(arguments, Path(folder)))
            warm.append(cpu_seconds(arguments, Path(folder)))
    return statistics.median(cold), statistics.median(warm), max(warm)


def run(args: argparse.Namespace) -> int:
    """Measure, print, write."""
    from procrop.io.atomic import write_text

    lines = ["| command | warm (most) | cold |", "|---|---|---|"]
    late = False
    for name, arguments in commands().items():
        if args.only in name:
            cold, warm, most = measure(arguments, args.runs)
            late |= warm > TARGET
            lines.append(f"| `{name} --help` | {warm:.3f} s ({most:.3f} s) | {cold:.3f} s |")
    print("\n".join(lines))
    if args.out:
        write_text(args.out, "\n".join(lines) + "\n")
    return int(late)


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    args = parser.parse_args(argv)
    args.run = run
    return run_guarded(parser, args)


if __name__ == "__main__":
    sys.exit(main())

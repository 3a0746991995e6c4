"""Kills the crop command at its steps (renames, writes to the record), runs it again, and compares the folders.

A process of its own: its children are forked, so that they need not import everything anew, and have no threads yet.
Arguments: the folder, in which ``in`` holds the photos, and how many of the steps are tried.
"""

import contextlib
import io
import itertools
import json
import os
import signal
import sys
from pathlib import Path

import PIL.Image
from half_cropper import HalfCropper, put_in_place, run
from run_pieces import tree

import procrop.visualization.contact_sheet as contact_sheet
from procrop.apis.cropping import appended_file, run_jobs  # noqa: F401

OPTIONS = ("--ratio", "1:1", "16:9", "--overlay", "--top-k", "1")


def child(folder, die_at=None):
    """Run the command in a fork; ``die_at`` counts its steps. Returns its exit code and the number of steps."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        with os.fdopen(reader) as file:
            steps = len(file.read())
        return os.waitpid(process, 0)[1], steps
    HalfCropper.embedded = _Counted(folder)
    _count_steps(writer, die_at)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = run(folder.parent / "in", "--out", folder, *OPTIONS)
    sys.stderr.write(errors.getvalue() if code == 2 else "")
    sys.stderr.flush()
    os._exit(code)


class _Counted:
    """Keeps the names of embedded photos across processes."""

    def __init__(self, folder):
        self.path = folder.with_suffix(".embedded")

    def append(self, name):
        with open(self.path, "a") as file:
            file.write(name + "\n")


def _count_steps(writer, die_at):
    replace, write, steps = os.replace, os.write, itertools.count(1)  # which threads may share

    def step(function, half):
        def counted(*args):
            write(writer, b".")
            if next(steps) == die_at:
                half(*args)
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args)

        return counted

    os.fsync = lambda handle: None  # a kill loses nothing that was written
    os.replace = step(replace, lambda *args: None)
    os.write = step(write, lambda handle, data: write(handle, bytes(data)[: len(data) // 2]))


def main():
    root, tries = Path(sys.argv[1]), int(sys.argv[2])
    PIL.Image.init()
    put_in_place()
    make = contact_sheet.ContactSheet.__init__
    contact_sheet.ContactSheet.__init__ = lambda self, *args: make(self, *args, rows_per_page=4)
    _, steps = child(root / "whole")
    whole = tree(root / "whole")
    report = dict(killed=0, differing={}, done_twice=[], in_flight=min(4, os.cpu_count()) + 1 + 2)
    tries = min(tries, steps)
    for point in sorted({1 + round(i * (steps - 1) / max(1, tries - 1)) for i in range(tries)}):
        folder = root / f"killed{point}"
        code, _ = child(folder, point)
        report["killed"] += os.WIFSIGNALED(code) and os.WTERMSIG(code) == signal.SIGKILL
        child(folder)
        there = tree(folder)
        report["differing"][point] = [
            name for name in {**whole, **there} if whole.get(name) != there.get(name)
        ]
        embedded = folder.with_suffix(".embedded").read_text().splitlines()
        report["done_twice"].append(len(embedded) - len(set(embedded)))
    json.dump(report, sys.stdout)


if __name__ == "__main__":
    main()

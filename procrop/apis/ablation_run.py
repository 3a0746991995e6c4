"""One training of an ablation and its tests, in a folder of their own; what is finished is not done again."""

import ctypes
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procrop.io.atomic import write_json

from .ablation_plan import Plan, TestSet, Variant

ROOT = Path(__file__).resolve().parents[2]
_TAIL, _LONGEST_TAIL = 6, 20
TRAINING = "training"


class RunFailed(Exception):
    """A training or tests ended with an error; the message has the end of the log.

    Attributes:
        reasons: What failed (TRAINING, or the name of a test set) -> one line that says why.
    """

    def __init__(self, message: str, reason: str | None = None, what: str = TRAINING) -> None:
        super().__init__(message)
        self.reasons = {what: reason or message.splitlines()[0]}


class Interrupted(Exception):
    """A training or a test was stopped from outside."""


@dataclass
class AblationRun:
    """A variant with a seed.

    Its folder holds ``settings.json`` (what the results are of), ``train/`` (work folder of the training),
    ``trained.json`` (once it is finished), ``tests/<name>/`` with figures and predictions, and ``log.txt``.

    Attributes:
        plan: The ablation.
        variant: The config.
        seed: Of the training.
        threads: Threads of each process; None leaves the choice to it.
    """

    plan: Plan
    variant: Variant
    seed: int
    threads: int | None = None
    _process: subprocess.Popen | None = field(default=None, repr=False)
    _stopped: threading.Event = field(default_factory=threading.Event, repr=False)

    @property
    def name(self) -> str:
        """For messages."""
        return f"{self.variant.name} seed {self.seed}"

    @property
    def folder(self) -> Path:
        """Of all its files."""
        return self.plan.out / self.variant.name / f"seed{self.seed}"

    @property
    def settings(self) -> dict[str, Any]:
        """What the training's results depend on."""
        return {
            "version": 1,
            "config": self.variant.path.name,
            "digest": self.variant.digest,
            "options": list(self.plan.options),
            "seed": self.seed,
        }

    @property
    def changed(self) -> list[str]:
        """Keys of the settings that are others than those of the results in the folder; none without results."""
        found = _read(self.folder / "settings.json")
        if found is None or found == self.settings:
            return []
        return [key for key, value in self.settings.items() if found.get(key) != value]

    def check(self) -> None:
        """Refuse results of other settings, which must not be taken for these.

        Raises:
            ValueError: The folder holds some.
        """
        if changed := self.changed:
            raise ValueError(
                f"{self.folder}: holds results of other settings ({', '.join(changed)} changed since); "
                "remove this folder to train it anew, or name another one: --out DIR"
            )

    @property
    def trained(self) -> bool:
        """Whether the training is finished."""
        return (self.folder / "trained.json").is_file()

    @property
    def epochs_done(self) -> int:
        """Epochs (or iterations) with a checkpoint."""
        if self.trained:
            return self.variant.epochs
        try:
            last = Path((self.folder / "train/last_checkpoint").read_text().strip()).stem
            return min(int(last.rpartition("_")[2]), self.variant.epochs)
        except (OSError, ValueError):
            return 0

    @property
    def finished(self) -> bool:
        """Whether the training and all its tests are."""
        return self.trained and all(self.tested(test) for test in self.plan.tests)

    def test_folder(self, test: TestSet) -> Path:
        """Of a test's files."""
        return self.folder / "tests" / (test.name if self.plan.checkpoint == "last" else f"{test.name}_best")

    def tested(self, test: TestSet) -> bool:
        """Whether a test is finished, and was of this test set."""
        return self.trained and _read(self.test_folder(test) / "settings.json") == {"digest": test.digest}

    def run(self) -> None:
        """Do what is missing; a test that fails does not keep the later ones from being done.

        Raises:
            RunFailed: The training or tests ended with an error.
            Interrupted: It was stopped.
        """
        self.check()
        if not (self.folder / "settings.json").exists():
            write_json(self.folder / "settings.json", self.settings)
        if not self.trained:
            # from the newest checkpoint where an earlier training was interrupted
            where = ["--work-dir", self.folder / "train", "--seed", self.seed, "--resume", "auto"]
            self._call("train.py", self.variant.path, *where, *self._options())
            last = Path((self.folder / "train/last_checkpoint").read_text().strip())
            write_json(self.folder / "trained.json", {"last": last.name})
        failures = []
        for test in self.plan.tests:
            if not self.tested(test):
                try:
                    self._test(test)
                except RunFailed as error:
                    failures.append(RunFailed(f"{test.title}: {error}", *error.reasons.values(), test.title))
        if failures:
            together = RunFailed("\n".join(map(str, failures)))
            together.reasons = {what: why for failure in failures for what, why in failure.reasons.items()}
            raise together

    def _test(self, test: TestSet) -> None:
        folder = self.test_folder(test)
        (folder / "settings.json").unlink(missing_ok=True)
        own = [] if test.path is None else [test.path]
        where = ["--work-dir", folder, "--dump", folder / "predictions.jsonl"]
        self._call("test.py", *own, self.checkpoint(), *where, *self._options(cfg_options=False))
        write_json(folder / "settings.json", {"digest": test.digest})

    def checkpoint(self) -> Path:
        """The file to test.

        Raises:
            RunFailed: There is none.
        """
        train = self.folder / "train"
        if self.plan.checkpoint == "last":
            return train / _read(self.folder / "trained.json")["last"]
        found = sorted(train.glob("best_*.pth"), key=lambda path: path.stat().st_mtime)
        if not found:
            raise RunFailed(
                f"{train}: no best_*.pth: the config keeps none (save_best of its checkpoint hook)"
            )
        return found[-1]

    def _options(self, cfg_options: bool = True) -> list[str]:
        device = [] if self.plan.device == "auto" else ["--device", self.plan.device]
        # a test takes the config inside the checkpoint, which has them already
        return device + (["--cfg-options", *self.plan.options] if cfg_options and self.plan.options else [])

    def _call(self, tool: str, *args: object) -> None:
        """Run a tool as a user would; its output goes to the log."""
        log = self.folder / "log.txt"
        command = [sys.executable, str(ROOT / "tools" / tool), *(_absolute(arg) for arg in args)]
        env = dict(os.environ)
        if self.threads is not None:
            env |= {"OMP_NUM_THREADS": str(self.threads), "MKL_NUM_THREADS": str(self.threads)}
        if self._stopped.is_set():
            raise Interrupted
        with open(log, "ab") as output:
            start = output.tell()
            self._process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=env, preexec_fn=_end_with(os.getpid())
            )
            code = self._process.wait()
        if self._stopped.is_set() or code in (130, -2):
            raise Interrupted
        if code:
            with open(log, "rb") as file:
                file.seek(start)
                lines = file.read().decode("utf-8", "replace").strip().splitlines()
            tail, reason = _end(lines)
            text = "\n".join([f"{tool} ended with {code}; the end of {log}:", *tail])
            raise RunFailed(text, f"{tool} ended with {code}: {reason}")

    def stop(self) -> None:
        """Ask the process at work to end, as Ctrl-C does."""
        self._stopped.set()
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)


def _end(lines: Sequence[str]) -> tuple[list[str], str]:
    """The lines of a log to show, and the one that says why the tool ended: its last error, else its last line."""
    errors = [i for i, line in enumerate(lines) if re.match(r"error\b.*:", line)]
    if errors:
        return list(lines[errors[-1] :][:_LONGEST_TAIL]), lines[errors[-1]].strip()
    return list(lines[-_TAIL:]), lines[-1].strip() if lines else "without a word"


def _end_with(parent: int) -> Callable[[], None] | None:
    """What makes a new process end when the one that started it is killed; None where the system cannot do it."""
    try:
        prctl = ctypes.CDLL(None).prctl  # looked up before the fork, behind which little may be done
    except (OSError, AttributeError, TypeError):
        return None
    set_death_signal = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>

    def prepare() -> None:
        prctl(set_death_signal, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:  # killed in between
            os._exit(1)

    return prepare


def _absolute(arg: object) -> str:
    return str(arg.resolve()) if isinstance(arg, Path) else str(arg)


def _read(path: Path) -> Mapping[str, Any] | None:
    try:
        return json.loads(path.read_text())
    except (OSError, ValueError):
        return None

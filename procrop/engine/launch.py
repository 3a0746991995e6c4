"""What the command-line tools share: reading a config, checking the data, and errors without tracebacks.

Exit codes: 0 done; 1 the run failed (a full disk included); 2 the command, the config, the data, the checkpoint or the
place to write to is not usable; 130 Ctrl-C.

Nothing is imported here that the checks can do without: mmengine's hooks alone cost more than torch does.
"""

import contextlib
import copy
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope

from procrop.datasets.base import DatasetNotFoundError
from procrop.engine.checkpoint import CheckpointError, load_checkpoint_file
from procrop.engine.config_text import checkpoint_config
from procrop.engine.config_validation import ConfigError, merge_cfg_options, validate_config
from procrop.engine.quiet import quieten
from procrop.io.lock import FolderLock, FolderLockedError
from procrop.registry import DATASETS


class UsageError(ValueError):
    """What was asked for cannot be done as asked; the message says what to do instead."""


def read_config(path: str, work_dir: str | None) -> Config:
    """Read a config file and settle where the run writes.

    Precedence: ``--work-dir``, then ``work_dir`` in the file, then ``work_dirs/<name of the config>``.

    Raises:
        UsageError: The file is missing or is no config.
    """
    if not Path(path).is_file():
        raise UsageError(f"{path}: no such config file; those of the project are in configs/")
    try:
        cfg = Config.fromfile(path)
    except Exception as error:  # a config is Python: it may fail in any way
        raise UsageError(f"{path}: cannot be read as a config ({type(error).__name__}: {error})") from error
    settle_work_dir(cfg, work_dir, Path(path).stem)
    return cfg


def config_in_checkpoint(path: str, work_dir: str | None) -> Config:
    """The config that a checkpoint carries; without ``--work-dir`` the run writes where its own config says, or to
    ``work_dirs/<folder of the checkpoint>``.

    Raises:
        CheckpointError: The checkpoint is missing, damaged or holds no config.
    """
    cfg = checkpoint_config(load_checkpoint_file(path), path)
    settle_work_dir(cfg, work_dir, Path(path).resolve().parent.name)
    return cfg


def settle_work_dir(cfg: Config, work_dir: str | None, name: str) -> None:
    """Set ``cfg.work_dir`` from the command line, else leave the file's, else ``work_dirs/<name>``."""
    cfg.work_dir = work_dir or cfg.get("work_dir") or str(Path("work_dirs", name))


def finish_config(cfg: Config, options: Sequence[str]) -> None:
    """Merge ``--cfg-options`` (they win over the file) and check every key.

    Raises:
        ConfigError: An option or a key is unknown; the message has the nearest right name.
    """
    merge_cfg_options(cfg, options or [])
    validate_config(cfg)


def check_folders(
    cfg: Config, options: Sequence[str], splits: Sequence[str], references: bool = False
) -> None:
    """See whether the data are there at all, before the config is validated, which takes longer.

    Args:
        cfg: The config as read; it is not changed.
        options: ``--cfg-options``.
        splits: Of ``"train"``, ``"val"``, ``"test"``.
        references: See whether the gallery and the neighbour table are there, too.

    Raises:
        UsageError: The files of a dataset are not there; the message is the dataset's own. Or its references are not.
    """
    if options:
        try:
            cfg = merge_cfg_options(copy.deepcopy(cfg), options)
        except ConfigError:  # finish_config says what is wrong; or nothing is, together with a named option
            return
    _enter_scope(cfg)
    for _, dataset in _datasets(cfg, splits):
        try:
            bare = {**dataset, "pipeline": [], "references": None, "text": None, "lazy_init": True}
            check = DATASETS.build(bare).check_files
        except Exception:  # an unknown type or key, or another kind of dataset: checked in full later
            continue
        try:
            check()
        except DatasetNotFoundError as error:
            raise UsageError(f"{error}{_needed_next(cfg, dataset)}") from error
        if references and (missing := _needed_next(cfg, dataset)):
            paths = ", ".join(str(dataset["references"].get(key)) for key in ("gallery", "table"))
            raise UsageError(f"the references of its photos are not complete ({paths}){missing}")


def check_outputs(folder: str | os.PathLike, files: Sequence[str | os.PathLike | None] = ()) -> None:
    """Refuse a place that could not be written to, before there is anything to write.

    Args:
        folder: Folder to write into; made later if it does not exist.
        files: Files to write, which may exist already; None is passed over.

    Raises:
        UsageError: A file is where a folder should be or the other way round, or a folder cannot be written.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder}: is a file, and a work folder is needed; name another with --work-dir")
    for file in [Path(file) for file in files if file is not None]:
        if file.is_dir():
            raise UsageError(f"{file}: is a folder, and a file is to be written there; name a file")
        _check_writable(file.parent, file)
    _check_writable(folder, folder)


def _check_writable(folder: Path, target: Path) -> None:
    """Refuse a folder that cannot be made, or cannot be written to if it exists."""
    present = next(path for path in [folder, *folder.absolute().parents] if path.exists())
    if not present.is_dir():
        raise UsageError(f"{target}: cannot be made, since {present} is a file; name another place")
    if not os.access(present, os.W_OK | os.X_OK):
        raise UsageError(f"{target}: {present} cannot be written to; name another place")


@contextlib.contextmanager
def sole_training(folder: str | os.PathLike) -> Iterator[None]:
    """Hold a work folder while it is being trained in; of a distributed run, process 0 does it for all.

    The lock of a training that was killed is taken over; on another host, once it was silent for ten minutes.

    Raises:
        UsageError: On entry, when another process is training there.
    """
    if int(os.environ.get("RANK", "0")):
        yield
        return
    Path(folder).mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(FolderLock(Path(folder, "train.lock"), beat=60))
        except FolderLockedError as error:
            raise UsageError(
                f"{folder}: still being trained by {error.holder or 'a process that has just begun'}; wait for it, "
                f"or end it and try again. If you are sure that it is gone, remove {Path(folder, 'train.lock')}"
            ) from error
        yield


def check_data(cfg: Config, splits: Sequence[str]) -> None:
    """Build the datasets and load a sample of each, before the model: what is missing shows within seconds.

    Args:
        cfg: The merged config.
        splits: Of ``"train"``, ``"val"``, ``"test"``; those that the config does not have are skipped.

    Raises:
        UsageError: A file or a folder is missing or malformed.
    """
    _enter_scope(cfg)
    for split, dataset in _datasets(cfg, splits):
        try:
            built = DATASETS.build(dataset)
            if len(built) == 0:
                raise UsageError(f"{split}_dataloader: the dataset has no photo")
            built[0]  # opens what the pipeline reads: the photo, the gallery, the neighbour table
        except (ValueError, OSError) as error:
            raise UsageError(str(error)) from error


def _enter_scope(cfg: Config) -> None:
    """Have names looked up as the config says, without mmengine's remarks on it."""
    quieten(MMLogger.get_current_instance())
    init_default_scope(cfg.get("default_scope", "procrop"))


def _datasets(cfg: Config, splits: Sequence[str]) -> Iterator[tuple[str, dict]]:
    """Split and config of each dataset, equal ones once."""
    seen = []
    for split in splits:
        dataset = (cfg.get(f"{split}_dataloader") or {}).get("dataset")
        if dataset is not None and dataset not in seen:
            seen.append(dataset)
            yield split, dataset


def _needed_next(cfg: Config, dataset: dict) -> str:
    """Lines about what a dataset's references and text need too, if it is missing: gallery, table, text folder."""
    references, text = dataset.get("references") or {}, (dataset.get("text") or {}).get("folder")
    gallery, table, config = references.get("gallery"), references.get("table"), cfg.filename or "CONFIG"
    missing = []
    if gallery and not Path(gallery).is_dir():
        command = f"procrop gallery build {gallery} --photos DIR --retrieval {config}"
        missing.append(f"a gallery of reference photos: {command}")
    if table and not Path(table).is_file():
        missing.append(f"its neighbour table: python tools/neighbours.py {config}")
    if text and not Path(text).is_dir():
        missing.append(f"captions and text tokens: python tools/text.py build {config}")
    words = ("Next it needs", "Then", "Then")
    return "".join(f"\n{word} {what}" for word, what in zip(words, missing, strict=False))


def check_device(device: str, amp: bool = False) -> None:
    """Refuse what needs a GPU where there is none.

    Raises:
        UsageError: CUDA or mixed precision is asked for and torch finds no CUDA device.
    """
    for option in ["--device cuda"] * (device == "cuda") + ["--amp"] * amp:
        if not torch.cuda.is_available():
            raise UsageError(f"{option}: torch finds no CUDA device; leave the option out to run on the CPU")


def guarded(job: Callable[[], None], hint: Callable[[], str]) -> int:
    """Run a tool's work and turn what a user can mend into one message.

    Args:
        job: The work.
        hint: Says how to go on, after an interruption or a failure.

    Returns:
        The exit code, see the module.
    """
    try:
        job()
    except KeyboardInterrupt:
        _say(f"Interrupted. {hint()}", everywhere=False)
        return 130
    except torch.OutOfMemoryError as error:
        _say(
            f"Out of GPU memory ({str(error).split('. ')[0]}). Use a smaller batch or image size, or --amp. {hint()}"
        )
        return 1
    except OSError as error:
        _say(f"{_reason(error)}. {hint()}")
        return 1
    except (RuntimeError, ValueError) as error:
        return _explain(error, hint)
    return 0


def _reason(error: OSError) -> str:
    """What the operating system refused, and where, in one line."""
    if (
        error.strerror is None
    ):  # passed on by a loader's worker: a traceback as text, which ends with the reason
        return str(error).strip().rpartition("\n")[2] or type(error).__name__
    where = f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes) else ""
    return f"{where}{error.strerror}"


def _explain(error: RuntimeError | ValueError, hint: Callable[[], str]) -> int:
    """Say what is wrong with which file and return the exit code; raise again what may be a bug."""
    text = str(error)
    if isinstance(error, CheckpointError | ConfigError | UsageError):
        _say(text, everywhere=False)
        return 2
    from procrop.engine.hooks.non_finite_loss_hook import NonFiniteLossError

    if isinstance(error, NonFiniteLossError):
        _say(text)
        return 1
    if "DataLoader worker" in text and "exited unexpectedly" in text + str(error.__cause__):
        _say(f"A data loading process died: often too little memory, so try fewer workers. {hint()}")
        return 1
    # an error of the project's own, raised here or in a loader's worker, which passes it on as a traceback
    inside = re.findall(r"^procrop\.[\w.]+: (.*)\Z", text, flags=re.DOTALL | re.MULTILINE)
    if inside:
        text = inside[-1].strip()
    elif not (isinstance(error, ValueError) and type(error).__module__.startswith("procrop.")):
        raise error
    _say(f"{text}\n{hint()}")
    return 1


def _say(message: str, everywhere: bool = True) -> None:
    """Print an error to stderr.

    Args:
        message: What is wrong.
        everywhere: False for what all processes of a distributed run find alike: one of them says it, and the others
            linger, since the first to exit has the rest killed.
    """
    rank = int(os.environ.get("RANK", "0"))
    if rank == 0 or everywhere:
        where = f" (process {rank})" if rank else ""
        print(f"error{where}: {message}", file=sys.stderr, flush=True)
    else:
        time.sleep(2)

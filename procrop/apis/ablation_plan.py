"""What an ablation consists of: variants of a config, seeds, and the sets that each trained model is tested on."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from procrop.io.manifest import sha256_json

OWN = "own"  # name of the test set that a variant's own config has


@dataclass(frozen=True)
class Variant:
    """A config of the ablation.

    Attributes:
        name: Unique, and the name of its folder.
        path: The config file.
        cfg: The merged config with the options of the command line, as plain values.
    """

    name: str
    path: Path
    cfg: Mapping[str, Any] = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 over the merged config: what a training's results depend on beside data and program."""
        return sha256_json(_plain(self.cfg))

    @property
    def epochs(self) -> int:
        """Epochs (or iterations) of its training, 1 where the config does not say."""
        loop = self.cfg.get("train_cfg") or {}
        return int(loop.get("max_epochs") or loop.get("max_iters") or 1)


@dataclass(frozen=True)
class TestSet:
    """Photos to test on: those of each variant's own config, or of a config without model (configs/transfer).

    Attributes:
        name: OWN, or the name of the config.
        path: The config, or None.
        cfg: The merged config, or None.
    """

    __test__ = False  # pytest takes classes of this name for its own

    name: str = OWN
    path: Path | None = None
    cfg: Mapping[str, Any] | None = field(default=None, repr=False)

    def of(self, variant: Variant) -> Mapping[str, Any]:
        """The config that says which photos a variant is tested on, and how."""
        return variant.cfg if self.cfg is None else self.cfg

    @property
    def title(self) -> str:
        """For messages."""
        return "its own test set" if self.cfg is None else self.name

    @property
    def digest(self) -> str | None:
        """SHA-256 over the config."""
        return None if self.cfg is None else sha256_json(_plain(self.cfg))


@dataclass(frozen=True)
class Plan:
    """An ablation.

    Attributes:
        out: Its folder.
        variants: In the order of the table.
        seeds: Of the trainings.
        tests: What each training is tested on.
        options: ``--cfg-options`` of the trainings.
        checkpoint: "last", or "best" by the config's ``save_best``.
        device: Of trainings and tests.
    """

    out: Path
    variants: Sequence[Variant]
    seeds: Sequence[int] = (0,)
    tests: Sequence[TestSet] = (TestSet(),)
    options: Sequence[str] = ()
    checkpoint: str = "last"
    device: str = "auto"


def find_configs(paths: Sequence[str | os.PathLike]) -> list[Path]:
    """Config files in the order given, those of a folder by name; parts in ``_base_`` folders are no configs.

    Raises:
        ValueError: A path does not exist, a folder has no config, or a file is named twice.
    """
    found: list[Path] = []
    for path in map(Path, paths):
        inside = [path]
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*.py") if "_base_" not in p.relative_to(path).parts)
            if not inside:
                raise ValueError(f"{path}: no config file (*.py) in this folder")
        elif not path.is_file():
            raise ValueError(f"{path}: no such config file or folder; those of the project are in configs/")
        found += inside
    repeated = [path for path, n in Counter(path.resolve() for path in found).items() if n > 1]
    if repeated:
        raise ValueError(f"{repeated[0]}: named twice")
    return found


def read_variants(paths: Sequence[Path], options: Sequence[str]) -> list[Variant]:
    """Read configs, with the options of the command line put in, and check every key of them.

    Raises:
        ValueError: A file is no config, a key is unknown, or a config cannot be trained and tested.
    """
    from procrop.engine import launch

    variants = []
    for name, path in zip(_names(paths), paths, strict=True):
        cfg = launch.read_config(str(path), None)
        try:
            launch.finish_config(cfg, options)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        for key in ("model", "train_dataloader", "test_dataloader"):
            if cfg.get(key) is None:
                raise ValueError(f"{path}: has no {key}, so it cannot be trained and tested")
        cfg.pop("work_dir")
        variants.append(Variant(name, path, cfg.to_dict()))
    return variants


def read_test_sets(paths: Sequence[str | os.PathLike]) -> list[TestSet]:
    """Configs without model, each naming a test set (configs/transfer).

    Raises:
        ValueError: One is no such config, or two have one name.
    """
    from procrop.engine import launch
    from procrop.engine.transfer import is_test_part

    tests = []
    for path in find_configs(paths):
        cfg = launch.read_config(str(path), None)
        launch.finish_config(cfg, ())
        if not is_test_part(cfg):
            raise ValueError(
                f"{path}: names a model, and a test set is wanted, e.g. configs/transfer/test_on_flms.py"
            )
        cfg.pop("work_dir")
        tests.append(TestSet(path.stem, path, cfg.to_dict()))
    names = Counter(test.name for test in tests)
    if tests and max(names.values()) > 1:
        raise ValueError(f"two test sets are called {names.most_common(1)[0][0]!r}; rename a file")
    return tests


def _names(paths: Sequence[Path]) -> list[str]:
    """A name for each file: its own, with its folders where two have one."""
    stems = Counter(path.stem for path in paths)
    common = Path(os.path.commonpath([path.resolve().parent for path in paths])) if paths else Path()
    return [
        path.stem
        if stems[path.stem] == 1
        else "-".join(path.resolve().relative_to(common).with_suffix("").parts)
        for path in paths
    ]


def _plain(value: Any) -> Any:  # noqa: ANN401 (any config value)
    """Values that JSON knows; infinities as text."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    return repr(value)

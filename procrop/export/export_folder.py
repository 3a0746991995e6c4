"""The folder of an exported cropper: two graphs, and procrop.json, which says how to use them."""

import importlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from procrop.io.manifest import ManifestError, read_manifest, verify_manifest, write_manifest

KIND = "ONNX cropper"
VERSION = 1
MODEL = "model.onnx"
SCORE_BOXES = "score_boxes.onnx"
SETTINGS = "procrop.json"


class ExportError(ValueError):
    """A cropper that cannot be exported, or an export that cannot be used; the message says what to do."""


def needed(package: str) -> ModuleType:
    """Import a package of the extra ``export``.

    Raises:
        ImportError: it is not installed; one line says how to install it.
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise ImportError(f"{package} is missing: pip install 'procrop[export]'") from error


@dataclass(frozen=True)
class ExportFolder:
    """A finished export.

    Attributes:
        path: the folder.
        settings: ``preprocessing``, ``head``, ``references``, ``text``, ``inputs``, ``outputs`` and more, see
            docs/export.md.
    """

    path: Path
    settings: Mapping[str, Any]

    @property
    def model(self) -> Path:
        """The graph from photo and references to crops."""
        return self.path / MODEL

    @property
    def score_boxes(self) -> Path:
        """The graph that scores given boxes."""
        return self.path / SCORE_BOXES

    @classmethod
    def open(cls, path: str | os.PathLike) -> "ExportFolder":
        """Open an export and check its bytes.

        Raises:
            ExportError: it is absent, unfinished or changed.
        """
        try:
            manifest = read_manifest(path, KIND, VERSION, SETTINGS)
            problems = verify_manifest(path, SETTINGS)
        except ManifestError as error:
            raise ExportError(f"{error} (procrop export CHECKPOINT --out {path})") from error
        if problems:
            raise ExportError(
                f"{problems[0]}; export again: procrop export CHECKPOINT --out {path} --overwrite"
            )
        return cls(Path(path), manifest["extra"])

    @classmethod
    def finish(cls, path: Path, settings: dict[str, Any], fingerprint: str) -> "ExportFolder":
        """Write procrop.json, last of all files."""
        write_manifest(
            path,
            kind=KIND,
            version=VERSION,
            fingerprint=fingerprint,
            files=(MODEL, SCORE_BOXES),
            extra=settings,
            name=SETTINGS,
        )
        return cls(path, settings)

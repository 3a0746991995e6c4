"""The manifest of a cache folder: what is in it, byte for byte, and what made it.

A manifest holds a kind and format version, the fingerprint of the component that made the files, the SHA-256
and size of each file, and a SHA-256 over itself. It holds no timestamp, host or absolute path: equal work gives
an equal manifest.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from .atomic import write_json

MANIFEST_NAME = "manifest.json"
_CHUNK = 1 << 20


class ManifestError(ValueError):
    """A cache folder that is absent, unfinished, damaged, of another kind or of another version."""


def sha256_file(path: str | os.PathLike) -> str:
    """Hex SHA-256 of a file's bytes, read in chunks."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def sha256_json(obj: Any) -> str:  # noqa: ANN401 (any JSON value)
    """Hex SHA-256 of an object's canonical JSON: sorted keys, no blanks, ASCII.

    Raises:
        ValueError: The object holds NaN or an infinity.
        TypeError: The object holds something JSON cannot (a tuple counts as a list).
    """
    text = json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def write_manifest(
    folder: str | os.PathLike,
    *,
    kind: str,
    version: int,
    fingerprint: str,
    files: Iterable[str],
    extra: dict | None = None,
    name: str = MANIFEST_NAME,
) -> dict:
    """Hash ``files`` and write the manifest; to be called last, when every file is in place.

    Args:
        folder: The cache folder.
        kind: What the folder is, e.g. ``"gallery"``.
        version: Format version of that kind.
        fingerprint: Hex fingerprint of what made the files.
        files: Names relative to ``folder``, with forward slashes.
        extra: Further JSON values of the kind.
        name: The manifest's file in ``folder``.

    Returns:
        The manifest as written.
    """
    folder = Path(folder)
    table = {
        file: {"bytes": (folder / file).stat().st_size, "sha256": sha256_file(folder / file)}
        for file in sorted(files)
    }
    manifest = {
        "kind": kind,
        "version": version,
        "fingerprint": fingerprint,
        "files": table,
        "extra": extra or {},
    }
    manifest["sha256"] = sha256_json(manifest)
    write_json(folder / name, manifest)
    return manifest


def read_manifest(folder: str | os.PathLike, kind: str, version: int, name: str = MANIFEST_NAME) -> dict:
    """Read a folder's manifest and check that it is intact and of the wanted kind and version.

    Args:
        folder: The cache folder.
        kind: What it should be.
        version: Format version that this program reads.
        name: The manifest's file in ``folder``.

    Raises:
        ManifestError: No manifest (never finished), unreadable, of another kind or version, or changed.
    """
    path = Path(folder) / name
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        raise ManifestError(
            f"{path}: not found; the {kind} was never built to its end: build it again"
        ) from None
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ManifestError(f"{path}: cannot be read ({error}); build the {kind} again") from error
    expected = {"kind": str, "version": int, "fingerprint": str, "files": dict, "extra": dict}
    if not isinstance(manifest, dict) or any(not isinstance(manifest.get(k), t) for k, t in expected.items()):
        raise ManifestError(f"{path}: not a ProCrop manifest; build the {kind} again in an empty folder")
    if manifest["kind"] != kind:
        raise ManifestError(f"{path}: describes a {manifest['kind']!r}, but a {kind!r} is needed here")
    if manifest["version"] != version:
        age = "older" if manifest["version"] < version else "newer"
        raise ManifestError(
            f"{path}: format version {manifest['version']} is {age} than version {version}, which this program reads; "
            f"build the {kind} again"
        )
    rest = {key: value for key, value in manifest.items() if key != "sha256"}
    if manifest.get("sha256") != sha256_json(rest):
        raise ManifestError(f"{path}: its bytes have changed since it was written; build the {kind} again")
    return manifest


def manifest_kind(folder: str | os.PathLike) -> str | None:
    """What a folder's manifest says that the folder is; None without a manifest that can be read."""
    try:
        return str(json.loads((Path(folder) / MANIFEST_NAME).read_text(encoding="utf-8"))["kind"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def verify_manifest(folder: str | os.PathLike, name: str = MANIFEST_NAME) -> list[str]:
    """Compare every file of a folder with its manifest.

    Returns:
        One line per problem, naming the file: missing, other size, other bytes. Empty when all is well.

    Raises:
        ManifestError: The manifest itself is absent or unreadable.
    """
    folder = Path(folder)
    path = folder / name
    try:
        table = json.loads(path.read_text(encoding="utf-8"))["files"]
        entries = sorted((str(file), int(e["bytes"]), str(e["sha256"])) for file, e in table.items())
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise ManifestError(f"{path}: cannot be read ({error!r}); build this folder again") from error
    problems = (_check_file(folder / file, size, digest) for file, size, digest in entries)
    return [problem for problem in problems if problem]


def _check_file(path: Path, size: int, digest: str) -> str | None:
    try:
        actual = path.stat().st_size
        if actual != size:
            return f"{path}: {actual} bytes, but the manifest says {size}"
        if sha256_file(path) != digest:
            return f"{path}: its bytes have changed since it was written (SHA-256 differs)"
    except FileNotFoundError:
        return f"{path}: missing"
    except OSError as error:
        return f"{path}: cannot be read ({error})"
    return None

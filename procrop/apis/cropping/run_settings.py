"""The settings of a run, kept with what it wrote: a later run goes on only with the same ones."""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrop.apis.cropping.crop_sets import CropSet
from procrop.apis.cropping.plan import shown
from procrop.io.manifest import MANIFEST_NAME

if TYPE_CHECKING:
    from procrop.inference.crop_inferencer import CropInferencer

RUN_FILE = "run.json"
_KIND, _VERSION = "procrop crop", 1
_CONTENT = ("checkpoint", "gallery", "query-encoder", "text-encoder")  # kept as SHA-256 of what they name
_GALLERY_NAMED = "gallery-named"  # whether it was, or left to the checkpoint; the same gallery may be both


def settings_of(args: argparse.Namespace, sets: Sequence[CropSet]) -> dict[str, Any]:
    """What decides the outputs for a photo, by the names of the options; no path, so folders may be moved.

    The device is none of it: another one gives the same crops, up to rounding.

    Args:
        args: the command line.
        sets: the crop sets.
    """
    request = sets[0].request
    settings = {
        "checkpoint": _content(args.checkpoint),
        "top-k": request.top_k,
        "ratio": [one.ratio for one in sets],
        "size": request.size and list(request.size),
        "min-area": request.min_area,
        "diverse": request.max_overlap,
        "subject": request.subject and list(request.subject),
        "k": args.k,
        "pin": list(args.pin),
        "ban": sorted(args.ban),
        "weight": dict(sorted(args.weight)),
        "query-encoder": _content(args.query_encoder),
        "caption": args.caption,
        "no-text": args.no_text,
        "text-encoder": _content(args.text_encoder),
        "format": args.format,
        "quality": args.quality,
        "lossless": args.lossless,
        "no-crops": args.no_crops,
        "sheet": args.sheet,
        "overlay": args.overlay,
        "before-after": args.before_after,
        "explain": args.explain,
    }
    if args.checkpoint is None or not Path(args.checkpoint).is_file():
        del settings["checkpoint"]  # a dry run may name a model that has not been fetched yet
    settings[_GALLERY_NAMED] = args.gallery is not None
    if args.gallery is not None and (Path(args.gallery) / MANIFEST_NAME).is_file():
        settings["gallery"] = _content(Path(args.gallery) / MANIFEST_NAME)
    return settings


def gallery_is_known(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether the gallery of a run is compared with an earlier run's although no model is open."""
    return "gallery" in now or before.get(_GALLERY_NAMED) == now[_GALLERY_NAMED]


def gallery_of(inferencer: "CropInferencer") -> dict[str, Any]:
    """The setting that only an open model knows: the gallery it takes its references from."""
    gallery = getattr(inferencer.references, "gallery", None)
    return dict(gallery=None if gallery is None else _content(Path(gallery.folder) / MANIFEST_NAME))


def _content(path: str | Path | None) -> str | None:
    from procrop.io import sha256_file

    if path is None:
        return None
    return sha256_file(path) if Path(path).is_file() else Path(path).name


def write_run(out: Path, settings: Mapping[str, Any], finished: bool, counts: Mapping[str, int]) -> None:
    """Write what the folder holds: the settings, whether the run came to its end, and the counts if it did."""
    from procrop.io import write_json

    run = dict(kind=_KIND, version=_VERSION, settings=settings, finished=finished, **counts)
    write_json(out / RUN_FILE, run)


def read_run(out: Path) -> dict[str, Any] | None:
    """``settings`` and ``finished`` of the run that wrote a folder, and its count of ``photos`` if it came to its end;
    None where none did.

    Raises:
        ValueError: the file is damaged, or of another program or version.
    """
    path = out / RUN_FILE
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
        if (run["kind"], run["version"]) != (_KIND, _VERSION):
            raise ValueError("of another program, or another version of this one")
        return dict(settings=dict(run["settings"]), finished=bool(run["finished"]), photos=run.get("photos"))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{shown(path)}: cannot be used ({error}); name another folder, or give --on-exists overwrite"
        ) from error


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What differs between two runs, in words; what only one of them has does not count."""
    words = []
    for name in now:
        if name != _GALLERY_NAMED and name in before and before[name] != now[name]:
            values = (
                "another one" if name in _CONTENT else f"{_told(before[name])} there, {_told(now[name])} here"
            )
            words.append(f"--{name}: {values}")
    return words


def _told(value: Any) -> str:  # noqa: ANN401 (any JSON value)
    if isinstance(value, list):
        return " ".join(map(_told, value)) or "none"
    return "none" if value is None else str(value)

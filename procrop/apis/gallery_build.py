"""``procrop gallery build``: encode photos and index them; in one process, in several, or in parts."""

import argparse
import sys
from typing import TYPE_CHECKING

from procrop.apis.shared_build import local_device, processes_of_torchrun, this_share

if TYPE_CHECKING:
    from procrop.retrieval import Gallery
    from procrop.retrieval.gallery_parts import GalleryPart
    from procrop.retrieval.sources import GallerySource

_SHOWN = 20
# what --source takes, and the class it stands for; further settings of these go into a config's gallery_source
_SOURCES = {
    "ava": "AVASource",
    "cgl": "CGLSource",
    "cpc": "CPCSource",
    "gaicd": "GAICDSource",
    "unsplash-lite": "UnsplashLiteSource",
}


def add_arguments(build: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    build.add_argument("out", help="folder of the gallery, or of the part")
    photos = build.add_mutually_exclusive_group()
    photos.add_argument("--photos", metavar="DIR", help="folder of photos, searched recursively")
    photos.add_argument(
        "--list",
        metavar="FILE",
        help="file of paths, one a line; or .jsonl with path, source_id, crops, scores",
    )
    photos.add_argument("--gaicd", metavar="ROOT", help="a GAICD dataset, whose annotated crops are kept too")
    photos.add_argument(
        "--source", choices=sorted(_SOURCES), help="a dataset with a selection rule of its own"
    )
    build.add_argument(
        "--root", metavar="DIR", help="folder of the --source, or that a --list is relative to"
    )
    build.add_argument("--top", type=int, help="of --source ava: how many of the best photos")
    build.add_argument("--split", help="of --gaicd (default: train)")
    build.add_argument("--version", choices=["v1", "v2"], help="of --gaicd (default: v2)")
    build.add_argument(
        "--retrieval",
        metavar="CONFIG",
        help="config file that holds `retrieval`; or a trained checkpoint, a model's name or an export, for a gallery "
        "that the model can use (default: the model that PROCROP_CHECKPOINT names, else procrop-lite)",
    )
    build.add_argument("--dry-run", action="store_true", help="say what the gallery will take, and stop")
    build.add_argument("--shard", metavar="I/N", help="build part I of N, from 0, for `merge`")
    build.add_argument("--refit", action="store_true", help="fit the key transform anew")
    build.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: as in the config)")
    build.add_argument("--workers", type=int, default=2, help="threads reading photos (default: %(default)s)")
    build.add_argument("--shard-size", type=int, default=256, help="photos per shard (default: %(default)s)")


def run(args: argparse.Namespace) -> int:
    """Build a gallery, a part or a share of one, or bring it up to date."""
    from procrop.retrieval import build_gallery, build_part, build_share

    rank, processes = processes_of_torchrun()
    part = this_share(args.shard) if args.shard else None
    if part and args.refit:
        raise ValueError("--refit does not go with --shard: parts fit nothing; give it to merge")
    retrieval, source = read_config(args)
    items = source.items()
    listed = rank == 0 and show_report(source)
    work = args.out, items, retrieval, source.root
    options = dict(shard_size=args.shard_size, workers=args.workers)
    if args.dry_run:
        return run_dry(args.out, len(items), retrieval)
    if rank > 0:
        build_share(*work, rank, processes, **options)
        return 0
    options["on_cost"] = lambda cost: print(*cost.lines(args.out), sep="\n", file=sys.stderr)
    if part:
        return max(say_part(build_part(*work, *part, **options), args.shard), int(listed))
    gallery = build_gallery(*work, refit=args.refit, processes=processes, **options)
    return max(say_done(gallery), int(listed))


def run_dry(out: str, photos: int, retrieval: dict) -> int:
    """Print what a gallery will take."""
    from procrop.retrieval.gallery_cost import estimate_cost
    from procrop.retrieval.gallery_encoders import GalleryEncoders

    print(*estimate_cost(GalleryEncoders(retrieval), photos).lines(out), sep="\n")
    return 0


def read_config(args: argparse.Namespace) -> "tuple[dict, GallerySource]":
    """The ``retrieval`` dict of the config file and the source of photos: command line > config.

    Raises:
        ValueError: There is no such file, it or the command line lacks one of them, or a key does not exist.
    """
    from procrop.apis.retrieval_config import read_retrieval_config
    from procrop.registry import GALLERY_SOURCES

    if args.retrieval is None:
        from procrop.inference.one_call import find_model

        args.retrieval, _ = find_model()
    cfg = read_retrieval_config(args.retrieval)
    retrieval = cfg["retrieval"]
    for name in ("backbone", "token_backbone"):
        if args.device and retrieval.get(name):
            retrieval[name]["device"] = local_device(args.device)
    return retrieval, GALLERY_SOURCES.build(source_config(args) or config_source(args, cfg))


def source_config(args: argparse.Namespace) -> dict | None:
    """The source that the command line asks for, if it does.

    Raises:
        ValueError: Arguments that do not go together.
    """
    if args.top is not None and args.source != "ava":
        raise ValueError("--top goes with --source ava")
    if args.root and not (args.source or args.list):
        raise ValueError("--root goes with --source or --list")
    if (args.split or args.version) and not (args.gaicd or args.source == "gaicd"):
        raise ValueError("--split and --version go with --gaicd")
    gaicd = dict(split=args.split or "train", version=args.version or "v2")
    if args.photos:
        return dict(type="FolderSource", root=args.photos)
    if args.list:
        return dict(type="FileListSource", path=args.list, root=args.root)
    if args.gaicd:
        return dict(type="GAICDSource", root=args.gaicd, **gaicd)
    if args.source is None:
        return None
    if not args.root:
        raise ValueError(f"--source {args.source} needs --root, the folder of the dataset")
    config = dict(type=_SOURCES[args.source], root=args.root)
    if args.source == "gaicd":
        config.update(gaicd)
    return config if args.top is None else {**config, "top": args.top}


def config_source(args: argparse.Namespace, cfg: dict) -> dict:
    """The config's own source."""
    if not isinstance(cfg.get("gallery_source"), dict):
        raise ValueError(
            f"name the photos with --photos, --list, --source or --gaicd, or put "
            f"`gallery_source = dict(type=...)` into {args.retrieval}"
        )
    return cfg["gallery_source"]


def show_report(source: "GallerySource") -> bool:
    """Print what the source left out; whether there was anything."""
    for line in source.report_lines():
        print(f"  left out: {line}", file=sys.stderr)
    return bool(source.report)


def say_done(gallery: "Gallery") -> int:
    """Print what was built and the photos that were set aside; the exit code."""
    from procrop.retrieval.gallery_format import REJECTED_FILE

    print(f"{gallery.folder}: {len(gallery)} photos, {len(gallery.rejected)} rejected")
    return list_rejected(gallery.rejected, f"all of them in {gallery.folder / REJECTED_FILE}")


def say_part(part: "GalleryPart", shard: str) -> int:
    """As `say_done`, of a part."""
    print(
        f"{part.folder}: part {shard} with {part.photos} photos, {len(part.rejected)} rejected; "
        f"join all parts with procrop gallery merge"
    )
    return list_rejected(part.rejected, f"{len(part.rejected)} in all; merge writes them into a file")


def list_rejected(rejected: list[dict[str, str]], rest: str) -> int:
    """Print the photos that were set aside, and ``rest`` where there are too many; the exit code."""
    for entry in rejected[:_SHOWN]:
        print(f"  rejected {entry['name']!r}: {entry['reason']}", file=sys.stderr)
    if len(rejected) > _SHOWN:
        print(f"  ... {rest}", file=sys.stderr)
    return 1 if rejected else 0

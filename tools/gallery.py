#!/usr/bin/env python
"""Build, check and search a gallery of reference photos.

    python tools/gallery.py build OUT --photos DIR --retrieval CONFIG
    python tools/gallery.py build OUT --gaicd ROOT --split train --retrieval CONFIG    (with crop annotations)
    python tools/gallery.py verify OUT
    python tools/gallery.py info OUT
    python tools/gallery.py search OUT --query PHOTO [--k 10] [--exclude NAME ...]

A build that was interrupted goes on where it was; one that is up to date ends at once.
Exit codes: 0 done, 1 some photos rejected or problems found (they are listed), 2 not usable as asked.
"""

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from procrop.retrieval import Gallery, GalleryItem

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="gallery.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="encode photos and index them")
    build.add_argument("out", help="folder of the gallery")
    photos = build.add_mutually_exclusive_group(required=True)
    photos.add_argument("--photos", metavar="DIR", help="folder of photos, searched recursively")
    photos.add_argument("--gaicd", metavar="ROOT", help="a GAICD dataset, whose annotated crops are kept too")
    build.add_argument("--split", default="train", help="split of --gaicd (default: %(default)s)")
    build.add_argument(
        "--version", default="v2", choices=["v1", "v2"], help="of --gaicd (default: %(default)s)"
    )
    build.add_argument(
        "--retrieval", required=True, metavar="CONFIG", help="config file that holds `retrieval`"
    )
    build.add_argument("--device", help="torch device of the encoder (default: the config's)")
    build.add_argument("--workers", type=int, default=2, help="threads reading photos (default: %(default)s)")
    build.add_argument("--shard-size", type=int, default=256, help="photos per shard (default: %(default)s)")
    build.set_defaults(run=run_build)
    verify = commands.add_parser("verify", help="check every file and every photo")
    verify.add_argument("out", help="folder of the gallery")
    verify.set_defaults(run=run_verify)
    info = commands.add_parser("info", help="say what a gallery is")
    info.add_argument("out", help="folder of the gallery")
    info.set_defaults(run=run_info)
    search = commands.add_parser("search", help="print the photos nearest to a photo")
    search.add_argument("out", help="folder of the gallery")
    search.add_argument("--query", required=True, metavar="PHOTO")
    search.add_argument("--k", type=int, default=10, help="how many (default: %(default)s)")
    search.add_argument(
        "--exclude", nargs="+", default=[], metavar="NAME", help="photo names or source ids to pass over"
    )
    search.add_argument(
        "--query-encoder", metavar="FILE", help="encode the query with this file of tools/distill_keys.py"
    )
    search.set_defaults(run=run_search)
    return parser


def run_build(args: argparse.Namespace) -> int:
    """Build a gallery or bring it up to date."""
    from procrop.retrieval import build_gallery, items_from_folder

    retrieval = read_retrieval(args.retrieval)
    if args.device:
        retrieval["backbone"]["device"] = args.device
    if args.gaicd:
        items, root = gaicd_items(args.gaicd, args.split, args.version)
    else:
        items, root = items_from_folder(args.photos), args.photos
    gallery = build_gallery(
        args.out, items, retrieval, root, shard_size=args.shard_size, workers=args.workers
    )
    print(f"{args.out}: {len(gallery)} photos, {len(gallery.rejected)} rejected")
    return list_rejected(gallery)


def read_retrieval(config: str) -> dict:
    """The ``retrieval`` dict of a config file, every key of which is checked.

    Raises:
        ValueError: There is no such file, it holds no ``retrieval``, or a key or type in it does not exist.
    """
    from procrop.engine import launch

    cfg = launch.read_config(config, None)
    launch.finish_config(cfg, [])
    retrieval = cfg.to_dict().get("retrieval")
    if not isinstance(retrieval, dict) or "backbone" not in retrieval:
        raise ValueError(
            f"{config}: holds no `retrieval = dict(backbone=...)`; see configs/_base_/retrieval/efficientnet_lite0.py"
        )
    return retrieval


def gaicd_items(root: str, split: str, version: str) -> "tuple[list[GalleryItem], str]":
    """The photos of a GAICD split with their scored crops, and the folder that holds them all."""
    import os

    from procrop.registry import DATASETS
    from procrop.retrieval import GalleryItem

    dataset = DATASETS.build(
        dict(type="GAICDataset", data_root=root, split=split, version=version, pipeline=[])
    )
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    items = [GalleryItem(d["img_path"], d["source_id"], d["gt_bboxes"], d["gt_scores"]) for d in infos]
    return items, os.path.commonpath([os.path.dirname(os.path.abspath(item.path)) for item in items])


def list_rejected(gallery: "Gallery") -> int:
    """Print the photos that were set aside; the exit code."""
    from procrop.retrieval.gallery_format import REJECTED_FILE

    for entry in gallery.rejected[:_SHOWN]:
        print(f"  rejected {entry['name']!r}: {entry['reason']}", file=sys.stderr)
    if len(gallery.rejected) > _SHOWN:
        print(f"  ... all of them in {gallery.folder / REJECTED_FILE}", file=sys.stderr)
    return 1 if gallery.rejected else 0


def run_verify(args: argparse.Namespace) -> int:
    """Check a gallery from end to end."""
    from procrop.retrieval import Gallery

    try:
        gallery = Gallery.open(args.out)
        gallery.backbone()
        problems = gallery.verify()
    except ValueError as error:
        problems = [str(error)]
    for problem in problems:
        print(problem)
    print(f"{args.out}: {f'{len(problems)} problem(s)' if problems else f'{len(gallery)} photos, all well'}")
    return 1 if problems else 0


def run_info(args: argparse.Namespace) -> int:
    """Print what a gallery is."""
    from procrop.retrieval import Gallery

    for name, value in Gallery.open(args.out).info().items():
        print(f"{name:<14} {value}")
    return 0


def run_search(args: argparse.Namespace) -> int:
    """Print the nearest photos of a query, best first."""
    from procrop.io.photo import read_photo
    from procrop.retrieval import Gallery

    if args.k < 0:
        raise ValueError(f"--k must be at least 0, not {args.k}")
    gallery = Gallery.open(args.out)
    unknown = [name for name in args.exclude if not len(gallery.ids_of([name]))]
    if unknown:
        raise ValueError(f"--exclude: no photo or source named {unknown[0]!r} in {args.out}")
    if args.query_encoder:
        gallery.use_query_encoder(args.query_encoder)
    ids, scores = gallery.search([read_photo(args.query)], args.k, args.exclude)
    print(f"{'rank':>4} {'score':>8} {'id':>7}  name")
    for rank, (photo_id, score) in enumerate(zip(ids[0], scores[0], strict=True), 1):
        # a name may hold characters that the terminal cannot show
        name = gallery.names[photo_id].encode("utf-8", "backslashreplace").decode()
        print(f"{rank:>4} {score:>8.4f} {photo_id:>7}  {name}")
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

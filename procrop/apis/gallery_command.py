"""``procrop gallery``: build, check and search a gallery of reference photos."""

import argparse

from procrop.apis import gallery_build

NAME = "gallery"
HELP = "Build, check and search a gallery of reference photos."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the sub-commands and their arguments."""
    commands = parser.add_subparsers(required=True, metavar="ACTION", dest="action")
    build = commands.add_parser("build", help="encode photos and index them")
    gallery_build.add_arguments(build)
    build.set_defaults(run_action=gallery_build.run)
    merge = commands.add_parser("merge", help="join the parts that build --shard made")
    merge.add_argument("out", help="folder of the gallery")
    merge.add_argument("parts", nargs="+", metavar="PART", help="folders of all parts")
    merge.add_argument("--photos", metavar="DIR", help="where the photos are (default: as the parts note it)")
    merge.add_argument("--refit", action="store_true", help="fit the key transform anew")
    merge.set_defaults(run_action=run_merge)
    verify = commands.add_parser("verify", help="check every file, every photo and the encoders")
    verify.add_argument("out", help="folder of the gallery")
    verify.set_defaults(run_action=run_verify)
    info = commands.add_parser("info", help="say what a gallery is")
    info.add_argument("out", help="folder of the gallery")
    info.set_defaults(run_action=run_info)
    search = commands.add_parser("search", help="print the photos nearest to a photo")
    search.add_argument("out", help="folder of the gallery")
    search.add_argument("--query", required=True, metavar="PHOTO", help="the photo")
    search.add_argument("--k", type=int, default=10, help="how many (default: %(default)s)")
    search.add_argument(
        "--exclude", nargs="+", default=[], metavar="NAME", help="photo names or source ids to pass over"
    )
    search.add_argument(
        "--keep-own",
        action="store_true",
        help="show the query itself, its copies and its source's photos too",
    )
    search.add_argument(
        "--query-encoder",
        metavar="FILE",
        help="search the gallery with this distilled encoder (tools/distill_keys.py) instead of its own",
    )
    search.set_defaults(run_action=run_search)


def run(args: argparse.Namespace) -> int:
    """Run the sub-command.

    Raises:
        ValueError: A gallery, a config or an argument that cannot be used.
    """
    return args.run_action(args)


def run_merge(args: argparse.Namespace) -> int:
    """Join parts."""
    from procrop.retrieval import merge_parts

    return gallery_build.say_done(merge_parts(args.out, args.parts, args.photos, args.refit))


def run_verify(args: argparse.Namespace) -> int:
    """Check a gallery from end to end."""
    from procrop.retrieval import Gallery

    try:
        gallery = Gallery.open(args.out)
        problems = gallery.verify(encoders=True)
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
    from procrop.retrieval.own_photos import own_photo_ids

    if args.k < 0:
        raise ValueError(f"--k must be at least 0, not {args.k}")
    gallery = Gallery.open(args.out)
    unknown = [name for name in args.exclude if not len(gallery.ids_of([name]))]
    if unknown:
        raise ValueError(f"--exclude: no photo or source named {unknown[0]!r} in {args.out}")
    if args.query_encoder:
        gallery.use_query_encoder(args.query_encoder)
    photo = read_photo(args.query)
    own = [] if args.keep_own else own_photo_ids(gallery, args.query).tolist()
    ids, scores = gallery.search([photo], args.k, [*args.exclude, *own])
    print(f"{'rank':>4} {'score':>8} {'id':>7}  name")
    for rank, (photo_id, score) in enumerate(zip(ids[0], scores[0], strict=True), 1):
        print(f"{rank:>4} {score:>8.4f} {photo_id:>7}  {shown(gallery.names[photo_id])}")
    return 0


def shown(name: str) -> str:
    """A file name on one line: a newline and whatever else a terminal cannot show are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)

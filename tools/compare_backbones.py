#!/usr/bin/env python
"""Show side by side what several retrieval encoders find, and measure how far it agrees in composition.

    python tools/compare_backbones.py --gallery PHOTOS --queries PHOTO_OR_FOLDER ... \\
        --backbones line_composition efficientnet_lite0 mine=my_config.py --out DIR [--k 5] [--max-photos N]

Writes DIR/sheet.png (queries down, encoders across, neighbours with their scores), DIR/table.md and DIR/table.json
(neighbours in common, agreement in composition beside that of random photos; docs/comparing_encoders.md defines
both), and a gallery per encoder in DIR/galleries, so that a second run is quick and an interrupted one goes on.
Exit codes: 0 done, 1 some photos rejected (they are listed), 2 not usable as asked.
"""

import argparse
import sys
from pathlib import Path

_SHOWN = 20


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="compare_backbones.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gallery", required=True, metavar="DIR", help="folder of photos to retrieve from")
    parser.add_argument(
        "--queries", required=True, nargs="+", metavar="PHOTO_OR_FOLDER", help="photos to find neighbours of"
    )
    parser.add_argument(
        "--backbones",
        required=True,
        nargs="+",
        metavar="ENCODER",
        help="retrieval config, or name of a file in configs/_base_/retrieval; name=ENCODER gives it a name",
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for everything that is written")
    parser.add_argument("--k", type=int, default=5, help="neighbours per query (default: %(default)s)")
    parser.add_argument(
        "--max-photos",
        type=int,
        metavar="N",
        help="take an even spread of N gallery photos, the same for every encoder (default: all)",
    )
    parser.add_argument("--device", help="torch device of the encoders (default: the configs')")
    parser.add_argument(
        "--workers", type=int, default=2, help="threads reading photos (default: %(default)s)"
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Compare, and write sheet and table."""
    out, gallery = Path(args.out), Path(args.gallery)
    check_out(out, gallery, args.queries)
    from procrop.apis.backbone_comparison import compare, list_queries
    from procrop.apis.comparison_report import comparison_table, draw_sheet, table_markdown
    from procrop.apis.retrieval_config import read_encoders
    from procrop.io.atomic import write_json, write_text

    queries, encoders = list_queries(args.queries), read_encoders(args.backbones)
    found = compare(gallery, queries, encoders, out, args.k, args.max_photos, args.device, args.workers)
    table = comparison_table(found)
    text = table_markdown(table)
    write_json(out / "table.json", table)
    write_text(out / "table.md", text)
    pages = draw_sheet(found, out / "sheet.png")
    print(text)
    print(", ".join(str(path) for path in [*pages, out / "table.md", out / "table.json"]))
    return list_rejected(found.rejected)


def check_out(out: Path, gallery: Path, queries: list[str]) -> None:
    """Refuse an output folder whose pictures a second run would take for photos.

    Raises:
        ValueError: It is a file, or lies in the gallery or in a folder of queries.
    """
    if out.exists() and not out.is_dir():
        raise ValueError(f"--out {out} is a file; name a folder")
    for folder in [gallery, *(Path(query) for query in queries)]:
        if folder.is_dir() and out.resolve().is_relative_to(folder.resolve()):
            raise ValueError(f"--out {out} lies in {folder}, a folder of photos; name a folder outside it")


def list_rejected(rejected: dict[str, str]) -> int:
    """Print the photos that were set aside; the exit code."""
    for what, reason in list(rejected.items())[:_SHOWN]:
        # a name may hold characters that the terminal cannot show
        print(f"rejected {what.encode('utf-8', 'backslashreplace').decode()}: {reason}", file=sys.stderr)
    if len(rejected) > _SHOWN:
        print(f"... all of them in table.json ({len(rejected)})", file=sys.stderr)
    return 1 if rejected else 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

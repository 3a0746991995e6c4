#!/usr/bin/env python
"""Build, check and search a gallery of reference photos; the same as ``procrop gallery``.

    python tools/gallery.py build OUT --photos DIR --retrieval CONFIG
    python tools/gallery.py build OUT --list FILE [--root DIR] --retrieval CONFIG
    python tools/gallery.py build OUT --source ava --root DIR [--top 55000] --retrieval CONFIG
    python tools/gallery.py build OUT --gaicd ROOT --split train --retrieval CONFIG    (with crop annotations)
    python tools/gallery.py build OUT --retrieval CONFIG        (its `gallery_source = dict(type=..., ...)`)
    torchrun --nproc_per_node=8 tools/gallery.py build OUT ...  (in 8 processes that see the same folder)
    python tools/gallery.py build PART --shard 0/8 ...          (a part, to be merged)
    python tools/gallery.py merge OUT PART ...
    python tools/gallery.py verify OUT
    python tools/gallery.py info OUT
    python tools/gallery.py search OUT --query PHOTO [--k 10] [--exclude NAME ...]

A build that was interrupted goes on where it was; one that is up to date ends at once. docs/galleries.md says more.
Exit codes: 0 done, 1 some photos rejected or problems found (they are listed), 2 not usable as asked.
"""

import argparse
import sys

from procrop.apis import gallery_command
from procrop.apis.cli import run_guarded


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        prog="gallery.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    gallery_command.add_arguments(parser)
    parser.set_defaults(run=gallery_command.run)
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python
"""Find the nearest gallery photos of every photo that a config trains, validates or tests on.

    python tools/neighbours.py CONFIG [--k 20] [--cfg-options key=value ...]

Reads each LoadReferences of the config's datasets: its gallery, its table (the file to write) and its k. Splits that
name the same table share it. Neither a photo itself nor one of the same source is ever among its neighbours.
Exit codes: 0 done, 1 some photos cannot be read (they are listed), 2 not usable as asked.
"""

import argparse
import sys
from dataclasses import dataclass, field

from procrop.apis.config_datasets import list_photos, loading_steps, read_config

_SHOWN = 20


@dataclass
class Job:
    """One table to write.

    Attributes:
        gallery: Folder of the gallery.
        k: Neighbours to keep.
        datasets: Configs of the datasets whose photos are the queries.
    """

    gallery: str
    k: int
    datasets: list[dict] = field(default_factory=list)


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="neighbours.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("config", help="config file, e.g. configs/procrop_toy.py")
    parser.add_argument("--k", type=int, help="neighbours to keep (default: the largest k of the config)")
    parser.add_argument("--device", help="torch device of the encoder (default: cpu)")
    parser.add_argument(
        "--query-encoder", metavar="FILE", help="encode the queries with this file of tools/distill_keys.py"
    )
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override the config"
    )
    parser.set_defaults(run=run)
    return parser


def run(args: argparse.Namespace) -> int:
    """Write all tables of a config."""
    cfg = read_config(args.config, args.cfg_options)
    jobs = find_jobs(cfg, args.k)
    if not jobs:
        raise ValueError(f"{args.config}: no LoadReferences with a gallery and a table in its datasets")
    from procrop.retrieval import Gallery, NeighbourTable

    rejected = []
    for path, job in jobs.items():
        gallery = Gallery.open(job.gallery)
        if args.query_encoder:
            gallery.use_query_encoder(args.query_encoder, args.device)
        else:
            gallery.backbone(args.device)
        table = NeighbourTable.build(list_photos(job.datasets), gallery, job.k)
        table.save(path)
        print(f"{path}: {len(table)} photos, {job.k} neighbours each, from {job.gallery}")
        rejected += table.rejected
    for _, reason in rejected[:_SHOWN]:
        print(f"  rejected {reason}", file=sys.stderr)
    return 1 if rejected else 0


def find_jobs(cfg: dict, k: int | None) -> dict[str, Job]:
    """Tables to write, by file name.

    Raises:
        ValueError: Two datasets want one table from different galleries, or k is too small.
    """
    jobs: dict[str, Job] = {}
    for loader, leaf, step in loading_steps(cfg, "LoadReferences"):
        if not (step.get("gallery") and step.get("table")):
            continue
        wanted = int(step.get("k", 10))
        if k is not None and k < wanted:
            raise ValueError(f"--k {k} is less than the {wanted} references that {loader} loads")
        job = jobs.setdefault(step["table"], Job(step["gallery"], 0))
        if job.gallery != step["gallery"]:
            raise ValueError(
                f"{step['table']}: wanted from two galleries, {job.gallery} and {step['gallery']}"
            )
        job.k = k if k is not None else max(job.k, wanted)
        job.datasets.append(leaf)
    return jobs


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

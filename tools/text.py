#!/usr/bin/env python
"""Write captions and text tokens of every photo that a config trains, validates or tests on.

    python tools/text.py build CONFIG [--captions FILE] [--rebuild] [--cfg-options key=value ...]
    torchrun --nproc_per_node=8 tools/text.py build CONFIG     (in 8 processes that see the same folder)
    python tools/text.py build CONFIG --shard 0/8              (a part; the one that is done last joins them)
    python tools/text.py verify CONFIG
    python tools/text.py info CONFIG

Reads each LoadTextTokens of the config's datasets (key `text`): its folder is what is written. Splits that name one
folder share it. The encoder is the config's `text_encoder = dict(type=...)`. Captions lie in captions.jsonl of
the folder and may be edited: the next build encodes those that were. A build that was interrupted goes on where it was;
one that is up to date ends at once. docs/text.md says more.
Exit codes: 0 done, 1 some photos have no text or problems were found (they are listed), 2 not usable as asked.
"""

import argparse
import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from procrop.apis.config_datasets import list_photos, loading_steps, read_config
from procrop.apis.shared_build import local_device, this_share

if TYPE_CHECKING:
    from procrop.datasets.text import TextBuild, TextPhoto, TextTable
    from procrop.models.text import TextEncoder

_SHOWN = 20
_SAMPLES = 3


@dataclass
class Job:
    """One text folder.

    Attributes:
        allow_missing: Whether all that read it do without where a photo has none.
        datasets: Configs of the datasets whose photos get text.
    """

    allow_missing: bool = True
    datasets: list[dict] = field(default_factory=list)

    def photos(self) -> "list[TextPhoto]":
        """All photos of the datasets, in their order."""
        from procrop.datasets.text import TextPhoto

        return [TextPhoto(img_id, path) for img_id, _, path in list_photos(self.datasets)]


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="text.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="write captions and tokens, or bring them up to date")
    verify = commands.add_parser("verify", help="check every file, every token and every photo")
    info = commands.add_parser("info", help="say what there is")
    for command, run in ((build, run_build), (verify, run_verify), (info, run_info)):
        command.add_argument("config", help="config file, e.g. configs/procrop_toy.py")
        command.add_argument("--folder", help="only this one of the config's text folders")
        command.add_argument(
            "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override the config"
        )
        command.set_defaults(run=run)
    build.add_argument(
        "--captions",
        metavar="FILE",
        help='captions to take in place of generated ones: lines of {"id", "caption"}, or id<TAB>caption',
    )
    build.add_argument("--device", help="torch device of the encoder (default: the config's)")
    build.add_argument("--shard", metavar="I/N", help="build part I of N, from 0")
    build.add_argument(
        "--rebuild",
        action="store_true",
        help="take another encoder than before: captions stay, tokens are made anew",
    )
    build.add_argument(
        "--forget",
        action="store_true",
        help="drop the tokens of photos that the config does not list (without it such a build is refused)",
    )
    build.add_argument("--workers", type=int, default=2, help="threads reading photos (default: %(default)s)")
    return parser


def find_jobs(cfg: dict, config: str, folder: str | None) -> dict[str, Job]:
    """Text folders of a config, by their names.

    Raises:
        ValueError: There is none, or not the one that is asked for.
    """
    jobs: dict[str, Job] = {}
    for _, leaf, step in loading_steps(cfg, "LoadTextTokens"):
        if step.get("folder"):
            job = jobs.setdefault(step["folder"], Job())
            job.allow_missing &= bool(step.get("allow_missing", False))
            job.datasets.append(leaf)
    if not jobs:
        raise ValueError(f"{config}: no LoadTextTokens with a folder in its datasets (their key `text`)")
    if folder is None:
        return jobs
    if folder not in jobs:
        raise ValueError(f"--folder {folder}: no text folder of {config}, which has {', '.join(jobs)}")
    return {folder: jobs[folder]}


def run_build(args: argparse.Namespace) -> int:
    """Build all text folders of a config, or this process's share of them."""
    from procrop.datasets.text import build_share, build_text, read_given_captions

    share = this_share(args.shard)
    cfg = read_config(args.config, args.cfg_options)
    jobs = find_jobs(cfg, args.config, args.folder)
    given = read_given_captions(args.captions) if args.captions else None
    encoder, encoder_cfg = make_encoder(cfg, args.config, args.device)
    code = 0
    for folder, job in jobs.items():
        work = folder, job.photos(), encoder, encoder_cfg
        options = dict(given=given, forget=args.forget, rebuild=args.rebuild, workers=args.workers)
        done = build_text(*work, **options) if share is None else build_share(*work, *share, **options)
        # torchrun ends all processes when one of them fails: only the last, which joins, tells of bad photos
        if done.table is not None or args.shard:
            code = max(code, say_done(folder, done))
    return code


def make_encoder(cfg: dict, config: str, device: str | None) -> "tuple[TextEncoder, dict]":
    """The config's encoder and its settings.

    Raises:
        ValueError: The config has none, or it runs on no device of its own.
    """
    from procrop.engine.config_validation.signatures import accepted_keys
    from procrop.registry import TEXT_ENCODERS

    settings = cfg.get("text_encoder")
    if not settings:
        raise ValueError(f"{config}: holds no `text_encoder = dict(type=...)`; see configs/_base_/text")
    if device is not None:
        kind = TEXT_ENCODERS.get(settings["type"])
        if "device" not in accepted_keys(kind).names:
            raise ValueError(f"--device {device}: {settings['type']} takes no device; leave the option out")
        settings = {**settings, "device": local_device(device)}
    return TEXT_ENCODERS.build(dict(settings)), settings


def say_done(folder: str, done: "TextBuild") -> int:
    """Print what was built and what was set aside; the exit code."""
    made = f"{done.captioned} captions generated, {done.encoded} photos encoded"
    if done.table is None:
        print(f"{folder}: this part is done ({made}); the last part, or a build without --shard, joins them")
    else:
        print(f"{folder}: {len(done.table)} photos with text ({made})")
    for img_id, reason in done.rejected[:_SHOWN]:
        print(f"  no text for {img_id!r}: {reason}", file=sys.stderr)
    if len(done.rejected) > _SHOWN:
        print(f"  ... {len(done.rejected)} in all; see {folder}/rejected.jsonl", file=sys.stderr)
    if done.unknown:
        shown = ", ".join(map(repr, done.unknown[:_SHOWN]))
        print(
            f"  {len(done.unknown)} captions of ids that no dataset of the config has: {shown}",
            file=sys.stderr,
        )
    return 1 if done.rejected else 0


def run_verify(args: argparse.Namespace) -> int:
    """Check the text folders of a config from end to end."""
    from procrop.datasets.text import verify_text

    jobs = find_jobs(read_config(args.config, args.cfg_options), args.config, args.folder)
    found = 0
    for folder, job in jobs.items():
        problems = verify_text(folder, job.photos(), job.allow_missing)
        for problem in problems:
            print(problem)
        print(f"{folder}: {f'{len(problems)} problem(s)' if problems else 'all well'}")
        found += len(problems)
    return 1 if found else 0


def run_info(args: argparse.Namespace) -> int:
    """Print what the text folders of a config hold."""
    from procrop.datasets.text import TextTable

    for folder in find_jobs(read_config(args.config, args.cfg_options), args.config, args.folder):
        print(folder)
        show(TextTable.open(folder))
    return 0


def show(table: "TextTable") -> None:
    """Print figures and a few captions."""
    for name, value in table.info().items():
        print(f"  {name:<14} {value}")
    step = max(1, len(table) // _SAMPLES)
    for img_id in table.ids[::step][:_SAMPLES]:
        caption = table.captions[img_id]
        print(f"  {img_id!r} ({caption.source}): {' '.join(caption.text.split())}")


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

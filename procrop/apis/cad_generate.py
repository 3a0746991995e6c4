"""``cad generate``: a dataset from professional photos."""

import argparse
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from procrop.apis.shared_build import local_device, this_share

if TYPE_CHECKING:
    from procrop.generation.output import DatasetCounts
    from procrop.generation.settings import GenerationSettings


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "config", metavar="CONFIG", help="config file that holds `generation`, e.g. in configs/cad"
    )
    parser.add_argument("--out", required=True, metavar="DIR", help="folder of the dataset")
    parser.add_argument(
        "--shard",
        metavar="I/N",
        help="make part I of N, from 0, into a folder that all parts share; afterwards run once without it",
    )
    parser.add_argument(
        "--workers",
        type=int,
        default=1,
        metavar="N",
        help="processes; for steps on a CPU (default: %(default)s)",
    )
    parser.add_argument(
        "--threads",
        type=int,
        default=1,
        metavar="N",
        help="threads of numerical libraries in each process (default: %(default)s)",
    )
    parser.add_argument("--limit", type=int, metavar="N", help="take the first N source photos only")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="e.g. generation.expansions=5"
    )


def run(args: argparse.Namespace) -> int:
    """Make the dataset; exit code 0, or 1 when something was left out.

    Raises:
        ValueError: The config, a source or the folder cannot be used.
        OSError: The disk is full.
    """
    from pathlib import Path

    from procrop.generation.pipeline import generate

    part, parts = this_share(args.shard) or (0, 1)
    torchrun = parts > 1 and not args.shard
    settings = read_generation_config(args.config, args.cfg_options)
    done = generate(
        settings,
        Path(args.out),
        part=part,
        parts=parts,
        finish=part == 0 if torchrun else None,
        workers=args.workers,
        threads=args.threads,
        limit=args.limit,
        before_finish=_all_processes() if torchrun else None,
    )
    if done.dataset is None:
        print(f"part {part} of {parts}: {done.items:,} items, {done.made:,} of them made now")
        if args.shard:
            print("when all parts are made, run the same command without --shard to finish")
        return 0
    return _say(done.dataset, done.made, args.out)


def read_generation_config(path: str, options: list[str]) -> "GenerationSettings":
    """The ``generation`` of a config file; every key of it is checked before anything is built.

    Raises:
        ValueError: There is no such file, it holds no ``generation``, or a key or type in it does not exist.
    """
    from procrop.engine import launch
    from procrop.generation.settings import GenerationSettings

    cfg = launch.read_config(path, None)
    launch.finish_config(cfg, options)
    values = cfg.to_dict()
    if not isinstance(values.get("generation"), dict):
        raise ValueError(
            f"{path}: holds no `generation = dict(source=..., steps=[...])`; see configs/cad/generate_embedded.py"
        )
    values["generation"]["steps"] = _on_own_device(values["generation"].get("steps"))
    imports = (values.get("custom_imports") or {}).get("imports") or ()
    return GenerationSettings.from_config(
        values["generation"], [imports] if isinstance(imports, str) else imports
    )


def _on_own_device(values: Any) -> Any:  # noqa: ANN401 (configs within configs)
    """Configs of steps with each ``device="cuda"`` the GPU of this process."""
    if isinstance(values, list | tuple):
        return [_on_own_device(value) for value in values]
    if not isinstance(values, dict):
        return values
    return {
        key: local_device(value) if key == "device" else _on_own_device(value)
        for key, value in values.items()
    }


def _all_processes() -> Callable[[], None]:
    """Join the other processes of torchrun now; called later, waits until all have come as far.

    torchrun itself ends all when one fails, so the wait needs no limit of its own.
    """
    from datetime import timedelta

    from torch import distributed

    distributed.init_process_group("gloo", timeout=timedelta(days=365))

    def wait() -> None:
        distributed.barrier()
        distributed.destroy_process_group()

    return wait


def _say(counts: "DatasetCounts", made: int, out: str) -> int:
    from procrop.generation.datacard import counted_reasons

    print(
        f"{out}: {counts.items:,} photos ({', '.join(f'{n:,} {split}' for split, (_, n) in counts.splits.items())}) of "
        f"{counts.photos:,} source photos; {made:,} items were made now"
    )
    for step, reason, times in counted_reasons(counts.rejected):
        print(f"  left out: {times} x {step}: {reason}", file=sys.stderr)
    return 1 if counts.rejected else 0

"""What each step of making a dataset costs, and what share of a model step is the bare call of its networks.

    python tools/benchmarks/generation.py CONFIG [--photos 8] [--expansions 3] [--threads 1] [--out generation.md]
    python tools/benchmarks/generation.py --untrained [--width 64] [--photos 1] [--expansions 1]

Real photos of the config's source go through all its steps, nothing kept is used, and each result is written as a run
writes it. A step's networks are timed from outside: the time within calls of torch modules, not counting calls within
calls, with the device's work awaited. What is left of the step is what it adds to the bare call: resizing, prompts,
sorting of masks, copies. --untrained measures SAMMasks (ViT-B) and ControlNetOutpainter (a Stable Diffusion of
--width channels, 320 in the published one, on small canvases) with random weights in place of a config: their results
mean nothing, and masks of noise cost SAM's own post-processing more than real ones do.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

if TYPE_CHECKING:
    from procrop.generation.settings import GenerationSettings

READING, WRITING = "reading the photo", "writing photo and record"


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="generation.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add(
        "config", nargs="?", help="config file that holds `generation`, e.g. configs/cad/generate_embedded.py"
    )
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override the config")
    add(
        "--untrained",
        action="store_true",
        help="SAM and ControlNet with random weights, in place of a config",
    )
    add("--width", type=int, default=64, help="of --untrained: channels of the UNet (default %(default)s)")
    add("--device", default="cpu", help="of --untrained: torch device (default %(default)s)")
    add("--photos", type=int, default=8, help="source photos (default %(default)s)")
    add("--expansions", type=int, help="expansions of each (default: the config's)")
    add("--threads", type=int, default=1, help="CPU threads (default %(default)s)")
    add("--out", type=Path, help="write the table to this file too")
    return parser


class Clock:
    """Seconds in each step, and within them in calls of networks.

    Attributes:
        step: Name -> seconds of each run.
        network: Name -> seconds in networks of each run.
    """

    def __init__(self) -> None:
        self.step: dict[str, list[float]] = {}
        self.network: dict[str, list[float]] = {}
        self._depth, self._within, self._start = 0, 0.0, 0.0

    def run(self, name: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Run something as a step."""
        self._within, start = 0.0, time.perf_counter()
        result = call()
        self.step.setdefault(name, []).append(time.perf_counter() - start)
        self.network.setdefault(name, []).append(self._within)
        return result

    @contextmanager
    def watching_networks(self) -> Iterator[None]:
        """Time the calls of torch modules that are made meanwhile."""
        from torch.nn.modules import module

        hooks = [
            module.register_module_forward_pre_hook(self._enter),
            module.register_module_forward_hook(self._leave, always_call=True),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _enter(self, *_: object) -> None:
        if self._depth == 0:
            _await_device()
            self._start = time.perf_counter()
        self._depth += 1

    def _leave(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            _await_device()
            self._within += time.perf_counter() - self._start


def _await_device() -> None:
    import torch

    if torch.cuda.is_available() and torch.cuda.is_initialized():
        torch.cuda.synchronize()


def timed_maker(settings: "GenerationSettings", root: Path, clock: Clock) -> Any:  # noqa: ANN401 (an ItemMaker)
    """An `ItemMaker` whose steps, reading and writing run by the clock; names of steps are those of its chain."""
    from procrop.generation import item_maker

    maker = item_maker.ItemMaker(settings, root)
    for name, step in zip(maker.chain.names, maker.chain.steps, strict=True):
        run = step.run
        step.run = lambda item, rng, name=name, run=run: clock.run(name, lambda: run(item, rng))
    commit = maker.items.commit
    maker.items.commit = lambda *args: clock.run(WRITING, lambda: commit(*args))
    return maker


def measure(settings: "GenerationSettings", photos: int, threads: int) -> Clock:
    """Make the items of some photos; the first photo is done once before, to warm up, and does not count."""
    from procrop.generation import item_maker
    from procrop.generation.source_photos import list_source_photos
    from procrop.generation.worker_pool import limit_threads

    limit_threads(threads)
    listed = list_source_photos(settings.sources, photos).photos
    read = item_maker.read_photo
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        maker = timed_maker(settings, Path(folder, "warm"), clock)
        maker.make(listed[0])
        for seconds in (*clock.step.values(), *clock.network.values()):
            seconds.clear()
        root = Path(folder, "counted")
        maker.items.root = root
        for store in maker.stores.values():
            store.folder = root / "work" / store.folder.name
        item_maker.read_photo = lambda path: clock.run(READING, lambda: read(path))
        try:
            with clock.watching_networks():
                for photo in listed:
                    maker.make(photo)
        finally:
            item_maker.read_photo = read
            maker.close()
    return clock


def table(clock: Clock, names: list[str], expansions: int) -> list[str]:
    """The figures as Markdown. A photo's cost is that of its steps, divided among its expansions."""
    lines = ["| step | runs | time a run | a second | share of all | of it in networks |"]
    lines += ["| --- | --- | --- | --- | --- | --- |"]
    total = sum(map(sum, clock.step.values()))
    for name in (READING, *names, WRITING):
        seconds, network = clock.step.get(name), sum(clock.network.get(name, []))
        if not seconds:
            continue
        mean = sum(seconds) / len(seconds)
        share = f"{network / sum(seconds):.1%}" if network else "–"
        of_all = sum(seconds) / total
        lines.append(
            f"| {name} | {len(seconds)} | {1000 * mean:,.1f} ms | {1 / mean:,.2f} | {of_all:.1%} | {share} |"
        )
    made = len(clock.step[WRITING])
    lines.append(
        f"| all, an expansion ({expansions} a photo) | {made} | {1000 * total / made:,.1f} ms | {made / total:,.2f} | "
        "100% | |"
    )
    return lines


def main(argv: list[str] | None = None) -> int:
    """Measure and print; exit code 0, or 2 for what cannot be measured as asked."""
    parser = make_parser()
    args = parser.parse_args(argv)
    if bool(args.config) == args.untrained:
        parser.error("name a config, or give --untrained")
    from dataclasses import replace

    import torch

    from procrop.generation.chain import StepChain
    from procrop.generation.settings import build_steps
    from procrop.io.atomic import write_text

    with tempfile.TemporaryDirectory() as folder:
        try:
            if args.untrained:
                import untrained_steps

                settings = untrained_steps.settings(Path(folder), args.width, args.device, args.photos)
            else:
                from procrop.apis.cad_generate import read_generation_config

                settings = read_generation_config(args.config, args.cfg_options)
            if args.expansions:
                settings = replace(settings, expansions=args.expansions)
            names = StepChain(build_steps(settings.steps), settings.seed).names
            clock = measure(settings, args.photos, args.threads)
        except (ValueError, OSError, ImportError) as error:
            print(f"generation.py: error: {error}", file=sys.stderr)
            return 2
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    lines = [f"{device}, {args.threads} thread{'s' * (args.threads > 1)}, torch {torch.__version__}", ""]
    text = "\n".join(lines + table(clock, names, settings.expansions)) + "\n"
    print(text, end="")
    if args.out:
        write_text(args.out, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())

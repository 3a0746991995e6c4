"""What each part of a cropper costs on the way from a photo to its crops: time and memory, as shares of the whole.

    python tools/benchmarks/parts.py CONFIG [--device cpu] [--runs 11] [--out parts.md]

Any config with a ProCrop; weights, references and text are random. Every run goes the whole way, so shares compare
parts of one and the same run: the query's key (where the encoder's weights are there), search among the keys of the
gallery, reading of the tokens, image backbone, encoder, reference encoder, text encoder (of stored tokens), fusion,
head. Memory is counted in a run of its own: the most bytes of new tensors or arrays at once; "holds" is what lies there
all the time, weights or keys or the file. With --out a Markdown table and the same as JSON beside it are written.
"""

import argparse
import statistics
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
WHOLE, REST = "whole", "the rest"


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="parts.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", help="config file, e.g. configs/procrop_gaicv2.py")
    add("--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="override the config")
    add("--device", default="cpu", help="cpu or cuda (default %(default)s)")
    add("--size", default="800x600", help="photo as the model sees it, WIDTHxHEIGHT (default %(default)s)")
    add("--runs", type=int, default=11, help="counted runs (default %(default)s)")
    add("--keys", type=int, default=55_000, help="keys of the gallery (default %(default)s)")
    add(
        "--key-dim",
        type=int,
        default=256,
        help="their length, where no encoder tells it (default %(default)s)",
    )
    add("--rows", type=int, default=2048, help="photos whose tokens are written (default %(default)s)")
    add(
        "--grid",
        default="8x8",
        help="token grid, where neither config nor encoder tells it (default %(default)s)",
    )
    add("--channels", type=int, default=256, help="token width, likewise (default %(default)s)")
    add("--threads", type=int, help="CPU threads (default: all)")
    add("--out", type=Path, help="write the table to this file, and .json beside it")
    parser.set_defaults(run=run)
    return parser


class Parts:
    """Runs pieces of code by name and notes what each costs.

    Attributes:
        cost: Part -> seconds or bytes in the order of the runs; a part that runs twice in a run adds up.
    """

    def __init__(self, measure: Callable[[Callable[[], Any]], tuple[Any, float]]) -> None:
        self.measure = measure
        self.cost: dict[str, list[float]] = {}

    def begin(self) -> None:
        """A new run: every part has cost nothing yet."""
        for costs in self.cost.values():
            costs.append(0.0)

    def run(self, part: str, call: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Run a piece of code as (one more piece of) a part."""
        result, cost = self.measure(call)
        self.cost.setdefault(part, [0.0])[-1] += cost
        return result


class Way:
    """The way of one photo through a config's model.

    Args:
        cfg: The whole config.
        args: Command line.
        folder: Where to write tokens.

    Raises:
        ValueError: The model is no ProCrop.
    """

    def __init__(self, cfg: Any, args: argparse.Namespace, folder: Path) -> None:  # noqa: ANN401
        import torch
        from model import TEXT_SHAPE, make_samples

        self.width, self.height = two_numbers(args.size, "--size")
        self.k, self.held = _number_of_references(cfg), {}
        self.encoder, self.why_no_encoder = _build_encoder(cfg, args.device) if self.k else (None, "")
        grid, channels = _token_shape(cfg, args, self.encoder)
        self.shape = (grid[0] * grid[1], channels)
        self.model = build_model(cfg, args, grid, channels)
        self.photo = torch.randn(1, 3, self.height, self.width, device=args.device)
        self.sample = make_samples(self.width, self.height, max(self.k, 1), *self.shape)[0].to(args.device)
        if self.k:
            self._add_annotations()
            self._make_gallery(cfg, args, folder)
        else:
            del self.sample.references
        self.text_shape = None
        if "text_tokens" in self.model.context_encoders:
            self.text_shape = (TEXT_SHAPE[0], self.model.context_encoders["text_tokens"].in_channels)
            self.sample.text_tokens = torch.randn(self.text_shape, device=args.device).half()
        self.parts: Parts | None = None
        self._watch_modules()

    def _add_annotations(self, crops: int = 5) -> None:
        import torch

        refs, device = self.sample.references, self.photo.device
        refs.crops = torch.rand(self.k, crops, 4, device=device)
        refs.crop_scores = torch.rand(self.k, crops, device=device)
        refs.crop_mask = torch.zeros(self.k, crops, dtype=torch.bool, device=device)

    def _make_gallery(self, cfg: Any, args: argparse.Namespace, folder: Path) -> None:  # noqa: ANN401
        import numpy as np
        from recall import filled
        from retrieval_parts import unit_keys

        from procrop.registry import INDEXES
        from procrop.retrieval import FeatureStore

        dim = args.key_dim if self.encoder is None else self.encoder.key_dim
        rng = np.random.default_rng(0)
        self.key = unit_keys(1, dim, 1)
        self.photo_array = rng.integers(0, 255, (self.height, self.width, 3), dtype=np.uint8)
        settings = dict(cfg.get("retrieval", {}).get("index") or dict(type="FaissIndex"), metric="cosine")
        self.index = filled(INDEXES.build(settings), unit_keys(args.keys, dim, 0))
        self.store = FeatureStore.create(folder / "tokens", self.shape, "float16")
        for start in range(0, args.rows, 256):
            rows = min(256, args.rows - start)
            self.store.append(rng.standard_normal((rows, *self.shape), dtype=np.float32).astype(np.float16))
        self.held = {"search": args.keys * dim * 4, "token reading": args.keys * 2 * int(np.prod(self.shape))}
        if self.encoder is not None:
            self.held["query encoding"] = _bytes_of(getattr(self.encoder, "network", None))

    def _watch_modules(self) -> None:
        """Let the model's parts report themselves; the head is what it does to predict."""
        model = self.model
        self._watch("image backbone", model, "see", model.backbone, model.neck)
        if model.encoder is not None:
            self._watch("encoder", model.encoder, "forward", model.encoder)
        for name, encoder in model.context_encoders.items():
            part = "text encoder" if name == "text_tokens" else "reference encoder"
            self._watch(part, encoder, "forward", encoder)
        if model.fusion is not None:
            self._watch("fusion", model.fusion, "forward", model.fusion)
        self._watch("head", model.bbox_head, "predict", model.bbox_head)

    def _watch(self, part: str, owner: Any, method: str, *modules: Any) -> None:  # noqa: ANN401
        original = getattr(owner, method)
        setattr(owner, method, lambda *a, **kw: self.parts.run(part, lambda: original(*a, **kw)))
        self.held[part] = self.held.get(part, 0) + sum(map(_bytes_of, modules))

    def go(self) -> None:
        """From the photo to its crops, once."""
        import numpy as np
        import torch

        with torch.no_grad():
            if self.k:
                if self.encoder is not None:
                    self.parts.run("query encoding", lambda: self.encoder.encode([self.photo_array]))
                ids, _ = self.parts.run("search", lambda: self.index.search(self.key, self.k))
                rows = np.asarray(ids[0]) % len(self.store)
                tokens = self.parts.run("token reading", lambda: self.store.read(rows))
                self.sample.references.tokens = torch.from_numpy(tokens).to(self.photo.device)
            self.model.predict(self.photo, [self.sample])


def _number_of_references(cfg: Any) -> int:  # noqa: ANN401
    if "references" not in (cfg.model.get("context_encoders") or {}):
        return 0
    return int((cfg.get("references") or {}).get("k", 10))


def _token_shape(cfg: Any, args: argparse.Namespace, backbone: Any) -> tuple[tuple[int, int], int]:  # noqa: ANN401
    """(rows, columns) and width of the reference tokens: the config's, its encoder's, or the command line's."""
    encoder = (cfg.model.get("context_encoders") or {}).get("references") or {}
    grid, channels = two_numbers(args.grid, "--grid"), args.channels
    if getattr(backbone, "token_shape", None) and not cfg.retrieval.get("token_backbone"):
        grid, channels = backbone.token_grid, backbone.token_shape[1]
    return tuple(encoder.get("token_grid") or grid), encoder.get("in_channels") or channels


def two_numbers(text: str, option: str) -> tuple[int, int]:
    """The numbers of an option such as 8x8.

    Raises:
        ValueError: It is none.
    """
    try:
        first, second = (int(part) for part in text.split("x"))
    except ValueError:
        first = second = 0
    if min(first, second) < 1:
        raise ValueError(f"{option} {text}: give two numbers, e.g. 8x8")
    return first, second


def build_model(cfg: Any, args: argparse.Namespace, grid: tuple[int, int], channels: int) -> Any:  # noqa: ANN401
    """A config's ProCrop with random weights, for references of (rows, columns) tokens of ``channels`` numbers.

    Raises:
        ValueError: The model is no ProCrop.
    """
    from model import TEXT_SHAPE

    from procrop.models.croppers import ProCrop
    from procrop.registry import MODELS

    settings = cfg.model.copy()
    if "init_cfg" in settings.backbone:
        settings.backbone.init_cfg = None
    encoders = settings.get("context_encoders") or {}
    if "references" in encoders and encoders.references.get("what") != "annotation":
        encoders.references.update(token_grid=grid, in_channels=channels)
    if "text_tokens" in encoders:
        encoders.text_tokens.setdefault("in_channels", TEXT_SHAPE[1])
    model = MODELS.build(settings)
    if not isinstance(model, ProCrop):
        raise ValueError(f"{args.config}: its model is a {type(model).__name__}, not a ProCrop")
    return model.to(args.device).eval()


def _build_encoder(cfg: Any, device: str) -> tuple[Any, str]:  # noqa: ANN401
    """The encoder of queries, or None and the reason."""
    from procrop.registry import RETRIEVAL_BACKBONES

    settings = cfg.get("retrieval", {}).get("backbone")
    if settings is None:
        return None, "the config has no `retrieval`"
    try:
        return RETRIEVAL_BACKBONES.build(dict(settings, device=device)), ""
    except (ValueError, OSError, ImportError) as error:
        return None, str(error)


def _bytes_of(module: Any) -> int:  # noqa: ANN401
    if module is None or not hasattr(module, "parameters"):
        return 0
    return sum(t.numel() * t.element_size() for t in (*module.parameters(), *module.buffers()))


def measure_times(way: Way, runs: int, sync: Callable[[], Any] | None) -> dict[str, list[float]]:
    """Seconds of every part, of the whole, and of what is in no part, run by run, after one that does not count."""

    def clock(call: Callable[[], Any]) -> tuple[Any, float]:
        if sync:
            sync()
        start = time.perf_counter()
        result = call()
        if sync:
            sync()
        return result, time.perf_counter() - start

    way.parts = Parts(clock)
    way.go()
    way.parts.cost = {part: [] for part in way.parts.cost}
    whole = []
    for _ in range(runs):
        way.parts.begin()
        whole.append(clock(way.go)[1])
    cost = way.parts.cost
    rest = [total - sum(costs[i] for costs in cost.values()) for i, total in enumerate(whole)]
    return {**cost, REST: rest, WHOLE: whole}


def measure_memory(way: Way, device: str) -> dict[str, int]:
    """Most bytes at once of every part and of the whole, tensors and NumPy arrays, beyond those at its start."""
    import torch
    from tensor_memory import peak_of, tensor_memory

    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # the fused attention hides its tensors
    tracemalloc.start()
    try:
        with tensor_memory(device) as memory:

            def peak(call: Callable[[], Any]) -> tuple[Any, float]:
                arrays = tracemalloc.get_traced_memory()[0]
                tracemalloc.reset_peak()
                result, tensors = peak_of(memory, call)
                return result, tensors + max(tracemalloc.get_traced_memory()[1] - arrays, 0)

            way.parts = Parts(peak)
            way.go()
            cost = {part: int(costs[0]) for part, costs in way.parts.cost.items()}
            way.parts = Parts(lambda call: (call(), 0.0))
            return {**cost, WHOLE: max(int(peak(way.go)[1]), *cost.values())}
    finally:
        tracemalloc.stop()
        torch.backends.mha.set_fastpath_enabled(fused)


def summarise(times: dict[str, list[float]], memory: dict[str, int], held: dict[str, int]) -> list[dict]:
    """One entry a part: medians, shares of the whole of the same run with their range, bytes."""
    rows = []
    for part, seconds in times.items():
        shares = sorted(a / b for a, b in zip(seconds, times[WHOLE], strict=True))
        row = dict(part=part, ms=statistics.median(seconds) * 1e3, share=statistics.median(shares))
        row.update(share_low=shares[0], share_high=shares[-1], peak_bytes=memory.get(part))
        row["peak_share"] = None if part not in memory else memory[part] / max(memory[WHOLE], 1)
        row["held_bytes"] = sum(held.values()) if part == WHOLE else held.get(part)
        rows.append(row)
    return rows


def markdown(rows: list[dict], head: str) -> str:
    """The table."""
    lines = [head, "", "| part | time | share of the run (range) | peak memory | of the whole | holds |"]
    lines.append("|---|---|---|---|---|---|")
    for row in rows:
        peak = "" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 2**20:.1f} MiB"
        share = "" if row["peak_share"] is None else f"{row['peak_share']:.1%}"
        held = "" if row["held_bytes"] is None else f"{row['held_bytes'] / 2**20:.1f} MiB"
        lines.append(
            f"| {row['part']} | {row['ms']:.2f} ms | {row['share']:.1%} ({row['share_low']:.1%} to "
            f"{row['share_high']:.1%}) | {peak} | {share} | {held} |"
        )
    return "\n".join(lines)


def run(args: argparse.Namespace) -> int:
    """Measure, print and write."""
    import torch
    from mmengine.registry import init_default_scope

    from procrop.engine import launch
    from procrop.io.atomic import write_json, write_text

    if min(args.runs, args.keys, args.rows) < 1:
        raise ValueError("--runs, --keys and --rows must be at least 1")
    cfg = launch.read_config(args.config, None)
    launch.finish_config(cfg, args.cfg_options)
    init_default_scope("procrop")
    if args.threads:
        torch.set_num_threads(args.threads)
    torch.manual_seed(0)
    cuda = args.device.startswith("cuda")
    with tempfile.TemporaryDirectory(prefix="procrop-bench-") as folder:
        way = Way(cfg, args, Path(folder))
        times = measure_times(way, args.runs, torch.cuda.synchronize if cuda else None)
        memory = measure_memory(way, args.device)
    rows = summarise(times, memory, way.held)
    name = torch.cuda.get_device_name() if cuda else f"CPU, {torch.get_num_threads()} threads"
    head = f"{args.config}: {name}, torch {torch.__version__}, photo {way.width} x {way.height}, {args.runs} runs"
    if way.k:
        head += f", K = {way.k} references of {way.shape[0]} x {way.shape[1]}, {args.keys:,} keys"
        if way.encoder is None:
            head += f"; without query encoding ({way.why_no_encoder.split(';')[0]})"
    if way.text_shape:
        head += f", text of {way.text_shape[0]} x {way.text_shape[1]}"
    table = markdown(rows, head)
    print(table)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_text(args.out, table + "\n")
        write_json(args.out.with_suffix(".json"), dict(setting=head, parts=rows))
    return 0


def main(argv: list[str] | None = None) -> int:
    """Run the tool."""
    from procrop.apis.cli import run_guarded

    parser = make_parser()
    return run_guarded(parser, parser.parse_args(argv))


if __name__ == "__main__":
    sys.exit(main())

"""What onnxruntime makes of a cropper: latency and batches against PyTorch, on the same inputs in one run.

    python tools/benchmarks/exported.py CONFIG [--size 256x192] [--batches 1,4] [--pairs 11] [--threads 1]

Any config with a ProCrop; weights, photos and references are random. Both sides take normalised photos and references
and give all crops: backbone, encoder, fusion, head. Runs come in interleaved pairs whose order alternates. A ratio
below 1 means that onnxruntime is faster.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))


def make_parser() -> argparse.ArgumentParser:
    """The command line; nothing heavy is imported for it."""
    parser = argparse.ArgumentParser(
        prog="exported.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("config", help="config file, e.g. configs/procrop_toy.py")
    add("--size", default="256x192", help="photo as the model sees it, WIDTHxHEIGHT (default %(default)s)")
    add("--batches", default="1,4", help="photos per run (default %(default)s)")
    add("--references", type=int, default=10, help="references per photo (default %(default)s)")
    add("--grid", default="8x8", help="their token grid (default %(default)s)")
    add("--channels", type=int, default=256, help="width of their tokens (default %(default)s)")
    add("--pairs", type=int, default=11, help="counted pairs (default %(default)s)")
    add("--threads", type=int, default=1, help="CPU threads of either side (default %(default)s)")
    parser.set_defaults(device="cpu")
    return parser


def build(args: argparse.Namespace) -> tuple[Any, Any]:
    """The exported model as CropGraph, and its onnxruntime session."""
    import onnxruntime
    from mmengine.config import Config
    from mmengine.registry import DefaultScope
    from parts import build_model, two_numbers

    from procrop.export.crop_graph import CropGraph
    from procrop.export.export_folder import MODEL
    from procrop.export.exporter import make_files

    with DefaultScope.overwrite_default_scope("procrop"):
        cfg = Config.fromfile(args.config)
        model = build_model(cfg, args, two_numbers(args.grid, "--grid"), args.channels)
    graph = CropGraph(model).eval()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    file = make_files(graph, model.data_preprocessor.pad_size_divisor, {})[MODEL]
    return graph, onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])


def compare(graph: Any, session: Any, args: argparse.Namespace, batch: int) -> str:  # noqa: ANN401
    """One row of the table."""
    import numpy as np
    import torch
    from pairs import time_pairs
    from parts import two_numbers

    from procrop.export.parity import random_inputs, samples_of

    width, height = two_numbers(args.size, "--size")
    sizes = dict(batch=batch, height=height, width=width, references=args.references, words=35, crops=5)
    arrays = random_inputs(graph.inputs, sizes)
    arrays["photo_size"] = np.array([[width, height]] * batch)
    for mask in [name for name in arrays if name.endswith("mask")]:
        arrays[mask][:] = False
    samples, image = samples_of(arrays), torch.as_tensor(arrays["image"])

    @torch.no_grad()
    def in_torch() -> None:
        graph.model.predict(image, samples)

    times = time_pairs(lambda: session.run(None, arrays), in_torch, args.pairs)
    return times.row(f"{batch}", 1.0)


def main() -> int:
    """Print a table."""
    args = make_parser().parse_args()
    import torch

    torch.set_num_threads(args.threads)
    graph, session = build(args)
    rows = [compare(graph, session, args, int(batch)) for batch in args.batches.split(",")]
    print(f"{args.config}: {args.size}, K = {args.references}, {args.threads} thread(s), {args.pairs} pairs")
    print("| photos | onnxruntime | PyTorch | ratio: median (range) | target |\n|---|---|---|---|---|")
    print("\n".join(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())

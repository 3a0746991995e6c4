"""``procrop export``: write a trained cropper as ONNX."""

import argparse
from pathlib import Path

NAME = "export"
HELP = "Write a trained cropper as ONNX: model.onnx, score_boxes.onnx and procrop.json."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument(
        "checkpoint",
        nargs="?",
        metavar="CHECKPOINT",
        help="a .pth file of a training, or a model's name in `procrop models list` (default: the one that "
        "PROCROP_CHECKPOINT names, else procrop-lite, which comes with the package)",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the export")
    parser.add_argument("--overwrite", action="store_true", help="replace an export that is there")


def run(args: argparse.Namespace) -> int:
    """Export, and say how far the graphs are from the model.

    Raises:
        ValueError: The checkpoint cannot be used, the model cannot be exported, or an export is there.
        ImportError: A package is missing.
    """
    from procrop.export import export_cropper
    from procrop.inference.one_call import find_model

    checkpoint, _ = find_model(args.checkpoint)
    exported = export_cropper(checkpoint, args.out, args.overwrite)
    folder = exported.folder
    for file in (folder.model, folder.score_boxes):
        print(f"{file}: {file.stat().st_size / 1e6:.1f} MB, opset {folder.settings['opset']}")
    print(f"boxes and scores are at most {exported.difference:.1g} away from those of PyTorch")
    return 0

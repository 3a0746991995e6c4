"""What a run would write, without a model."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from procrop.apis.cropping.crop_sets import CropSet
from procrop.apis.cropping.plan import CROPS, CropJob, shown


def list_outputs(
    jobs: Sequence[CropJob], done: int, sets: Sequence[CropSet], args: argparse.Namespace
) -> int:
    """Print a line for each crop: the photo, a tab, the file; only the headers of the photos are read.

    Args:
        jobs: the photos that are to be cropped.
        done: how many are done already.
        sets: the crop sets.
        args: the options.

    Returns:
        Exit code: 1 if a photo would be rejected for what its header says.
    """
    from procrop.io import PhotoError
    from procrop.photofile import suffix_of

    rejected = 0
    for job in jobs:
        try:
            suffix = suffix_of(job.path, args.format)
            suffix_of(job.path)  # every photo's header is looked at, also where the format is given
        except PhotoError as error:
            rejected += 1
            print(f"rejected: {shown(job.path)}: {error.reason}; {error.remedy}", file=sys.stderr)
            continue
        for one in () if args.no_crops else sets:
            for rank in range(1, args.top_k + 1):
                print(
                    f"{shown(job.path)}\t{shown(Path(args.out) / CROPS / one.folder / job.stem)}_{rank}{suffix}"
                )
    said = f"dry run: {len(jobs) - rejected} photos to crop, {args.top_k} crops each"
    said += f" in {len(sets)} ratios" if len(sets) > 1 else ""
    said += f", {done} done already" if done else ""
    print(said + (f", {rejected} to be rejected" if rejected else ""), file=sys.stderr)
    return 1 if rejected else 0

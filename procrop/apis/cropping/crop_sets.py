"""The crop sets of a run: a request for each ratio, and the folder that its crops go to."""

import argparse
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from procrop.inference.crop_request import CropRequest, ReferenceChoice

if TYPE_CHECKING:
    from procrop.inference.crop_inferencer import CropInferencer

# what messages of the cropper call by the field's name
_OPTIONS = {"top_k": "--top-k", "min_area": "--min-area", "max_overlap": "--diverse", "k": "--k"}


@dataclass(frozen=True)
class CropSet:
    """What is asked of every photo, in one of several ratios.

    Attributes:
        request: what is asked; its caption is that of photos without one of their own.
        folder: "" or ``"<ratio>/"``, between ``crops/`` and a photo's stem.
    """

    request: CropRequest
    folder: str = ""

    @property
    def ratio(self) -> str | None:
        """The ratio as it was written; None where there is none."""
        return self.request.ratio


def crop_sets(args: argparse.Namespace) -> list[CropSet]:
    """The sets that the options ask for, one where there are fewer than two ratios.

    Raises:
        ValueError: a value cannot be used; the message names the option.
    """
    from procrop.inference.selection import check_request

    weights = {}
    for name, weight in args.weight:
        if name in weights:
            raise ValueError(
                f"--weight {name}={weight}: it has the weight {weights[name]} already; leave one out"
            )
        weights[name] = weight
    references = ReferenceChoice(pinned=tuple(args.pin), banned=tuple(args.ban), weights=weights)
    ratios = args.ratio or [None]
    folders = [_folder(ratio) for ratio in ratios] if len(ratios) > 1 else [""]
    if len(set(folders)) < len(ratios):
        raise ValueError(f"--ratio {' '.join(args.ratio)}: the same ratio twice; leave one of them out")
    sets = []
    for ratio, folder in zip(ratios, folders, strict=True):
        request = CropRequest(
            args.top_k, ratio, args.size, args.min_area, args.diverse, args.subject, references, args.caption
        )
        with options_named(ratio, args.size):
            check_request(request)
        sets.append(CropSet(request, folder))
    return sets


def check_sets(inferencer: "CropInferencer", sets: Sequence[CropSet], captions: Sequence[str | None]) -> None:
    """Raise a ValueError, before any photo, if the model cannot give what is asked for."""
    from dataclasses import replace

    for one in sets:
        with options_named(one.ratio):
            inferencer.check(replace(one.request, caption=captions[0]))
    inferencer.check_captions(captions)


@contextmanager
def options_named(ratio: str | None, size: tuple[int, int] | None = None) -> Iterator[None]:
    """Call things in messages as the command line does."""
    try:
        yield
    except ValueError as error:
        words = re.sub(r"\b(top_k|min_area|max_overlap|k)\b(?=[ =,])", lambda m: _OPTIONS[m[0]], str(error))
        if "aspect ratio" in words or "beyond" in words:
            if ratio is not None and ratio in words:
                words = f"--ratio {ratio}: {words}; paths stand before --ratio, or behind another option"
            elif size is not None:
                words = f"--size {size[0]}x{size[1]}: {words}"
        raise type(error)(words) from error


def _folder(ratio: str) -> str:
    return re.sub(r"\s*[:/]\s*", "x", ratio.strip().lower()) + "/"

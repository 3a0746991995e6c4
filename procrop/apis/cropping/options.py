"""The options of ``procrop crop``."""

import argparse

from procrop.apis.own_modules import add_import_option

#: crops that are called different overlap less than this where nothing else is said (IoU)
DIVERSE = 0.6
FORMATS = ("keep", "jpeg", "png", "webp", "tiff")
ON_EXISTS = ("skip", "overwrite", "fail")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="PATH",
        help="photos, folders of photos (to the bottom), patterns in quotes ('in/**/*.jpg'), @FILE for a list of "
        "these, - for a list on standard input",
    )
    parser.add_argument(
        "--list",
        dest="lists",
        action="append",
        default=[],
        metavar="FILE",
        help="a list of paths, one on each line or with NULs between (find -print0); - is standard input; "
        "may be repeated",
    )
    parser.add_argument(
        "--out",
        default="crops",
        metavar="DIR",
        help="folder for everything that is written (default: %(default)s)",
    )
    add_model(parser.add_argument_group("the model"))
    _add_request(parser.add_argument_group("what the crops are to be"))
    _add_references(parser.add_argument_group("the references they are made after"))
    _add_text(parser.add_argument_group("captions, for a model that reads text"))
    _add_files(parser.add_argument_group("what is written"))


def add_model(group: argparse._ArgumentGroup) -> None:
    """Declare what says which model is used, and where it runs."""
    group.add_argument(
        "--checkpoint",
        metavar="FILE",
        help="a trained checkpoint, a file or a name of `procrop models list` (default: the one that "
        "PROCROP_CHECKPOINT names, else procrop-lite, which comes with the package)",
    )
    group.add_argument("--device", help="cpu, cuda, cuda:1, ... (default: a GPU if there is one)")
    add_import_option(group, "module of your own components, to be imported first; may be repeated")


def _add_request(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--top-k", type=int, default=3, metavar="N", help="crops per photo (default: 3)")
    group.add_argument(
        "--ratio",
        nargs="+",
        action="extend",
        default=[],
        metavar="W:H",
        help="width to height, e.g. 1:1, 4:5, 1.91:1, original; several give a set of crops each, in a folder each "
        "(default: as the model likes)",
    )
    group.add_argument(
        "--size", type=_size, metavar="WxH", help="pixels of the written crops; the ratio follows from it"
    )
    group.add_argument(
        "--min-area",
        type=_share,
        default=0.0,
        metavar="SHARE",
        help="least part of the photo that a crop holds, 0.5 or 50%%",
    )
    group.add_argument(
        "--diverse",
        nargs="?",
        type=_share,
        const=DIVERSE,
        metavar="IOU",
        help=f"no two crops of a photo overlap more than this (IoU; without a number: {DIVERSE})",
    )
    group.add_argument(
        "--subject",
        type=_box,
        metavar="X1,Y1,X2,Y2",
        help="what every crop is to keep whole, in pixels of the upright photo",
    )


def _add_references(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--gallery",
        metavar="DIR",
        help="your own references, a folder that `procrop gallery build` made (default: the model's)",
    )
    group.add_argument("--k", type=int, metavar="K", help="references per photo (default: as in training)")
    for option, words in (("--pin", "always among the references"), ("--ban", "never among them")):
        group.add_argument(
            option,
            action="append",
            default=[],
            metavar="NAME",
            help=f"a photo of the gallery that is {words}; may be repeated",
        )
    group.add_argument(
        "--weight",
        type=_weight,
        action="append",
        default=[],
        metavar="NAME=N",
        help="a photo of the gallery counts N times where it is among the references; may be repeated",
    )
    group.add_argument(
        "--query-encoder",
        metavar="FILE",
        help="search the gallery with this distilled encoder (tools/distill_keys.py) instead of its own",
    )


def _add_text(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--caption",
        metavar="TEXT",
        help='what the crops are to show, e.g. "the dog and the boat" (all photos)',
    )
    group.add_argument(
        "--captions",
        metavar="FILE",
        help='captions of single photos: lines of {"id", "caption"} or {"path", "caption"}, or name<TAB>caption; '
        "names are those below the input folder; --caption is for the others",
    )
    group.add_argument("--no-text", action="store_true", help="crop as if the model had no text branch")
    group.add_argument(
        "--text-encoder",
        metavar="CONFIG",
        help="config whose `text_encoder` says where the weights of the text encoder are (default: as in training)",
    )


def _add_files(group: argparse._ArgumentGroup) -> None:
    group.add_argument(
        "--format", choices=FORMATS, default="keep", help="of the crops (default: keep, as the photo's)"
    )
    group.add_argument(
        "--quality", type=_quality, metavar="Q", help="of JPEG and WebP, 1 to 100 (default: as the photo's)"
    )
    group.add_argument(
        "--lossless",
        action="store_true",
        help="move crops of JPEGs by a few pixels, to where they can be cut without encoding them again",
    )
    group.add_argument("--no-crops", action="store_true", help="only the record, crops.jsonl and crops.csv")
    group.add_argument(
        "--sheet",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the contact sheet sheet.png (default: yes, but not with --no-crops)",
    )
    group.add_argument("--overlay", action="store_true", help="each photo with its crops drawn in")
    group.add_argument("--before-after", action="store_true", help="each photo beside its best crop")
    group.add_argument(
        "--explain",
        action="store_true",
        help="the references beside the crop, with the attention each received, as PNG and in explained.html",
    )
    group.add_argument(
        "--on-exists",
        choices=ON_EXISTS,
        default="skip",
        help="if an earlier run wrote to the folder: skip what it has done, go on (same settings only); "
        "overwrite; or fail (default: skip)",
    )
    group.add_argument(
        "--dry-run", action="store_true", help="list what would be written; loads no model, writes nothing"
    )


def _size(text: str) -> tuple[int, int]:
    sides = text.lower().replace("×", "x").split("x")
    if len(sides) != 2 or not all(side.strip().isdecimal() and 0 < int(side) < 65536 for side in sides):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no size; write width x height in pixels, e.g. 1080x1350"
        )
    return int(sides[0]), int(sides[1])


def _share(text: str) -> float:
    try:
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write 0 to 1, or 0% to 100%")
    return value


def _box(text: str) -> tuple[float, float, float, float]:
    try:
        edges = tuple(float(edge) for edge in text.split(","))
    except ValueError:
        edges = ()
    if len(edges) != 4:
        raise argparse.ArgumentTypeError(f"{text!r} is no box; write four numbers X1,Y1,X2,Y2")
    return edges


def _weight(text: str) -> tuple[str, int]:
    name, sign, number = text.rpartition("=")
    if not sign or not name or not number.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r} is no weight; write NAME=N, N = 0, 1, 2, ...")
    return name, int(number)


def _quality(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 100:
        raise argparse.ArgumentTypeError(f"{text!r} is no quality; write 1 to 100")
    return int(text)

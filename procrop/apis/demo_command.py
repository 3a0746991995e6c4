"""``procrop demo``: a page in the browser to crop photos on."""

import argparse
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path

from procrop.apis.cropping.options import add_model

NAME = "demo"
HELP = "Open a page on this machine: drop photos, choose ratio and references, take the crops."


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    model = parser.add_argument_group("the model")
    add_model(model)
    model.add_argument(
        "--gallery",
        dest="galleries",
        action="append",
        default=[],
        metavar="NAME=DIR",
        help="a gallery that visitors may choose; may be repeated, the first one is taken at the start "
        "(default: the model's)",
    )
    model.add_argument("--k", type=int, metavar="K", help="references per photo (default: as in training)")
    model.add_argument("--no-text", action="store_true", help="crop as if the model had no text branch")
    page = parser.add_argument_group("the page")
    page.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen on (default: %(default)s, this machine alone)",
    )
    page.add_argument(
        "--port",
        type=int,
        default=7860,
        metavar="N",
        help="port to listen on, 0 for any (default: %(default)s)",
    )
    limits = parser.add_argument_group("limits")
    for option, default, words in (
        ("--max-upload-mb", 30, "size of a photo's file"),
        ("--max-pixels", 100_000_000, "pixels of a photo, by its header"),
        ("--max-photos", 20, "photos of a visitor at a time"),
        ("--max-sessions", 32, "visitors at a time; one more ends the session that has rested longest"),
        ("--memory-mb", 2000, "memory for embedded photos of all visitors"),
    ):
        limits.add_argument(
            option, type=int, default=default, metavar="N", help=f"{words} (default: {default})"
        )


def run(args: argparse.Namespace) -> int:
    """Show the page until Ctrl-C.

    Raises:
        ValueError: arguments that cannot be carried out.
        ImportError: gradio is not installed.
    """
    galleries = read_galleries(args.galleries)
    import importlib
    import importlib.util

    if importlib.util.find_spec("gradio") is None:
        raise ImportError("the page needs gradio; install it with: pip install 'procrop[demo]'")
    for module in args.modules:
        importlib.import_module(module)
    from procrop.inference.one_call import find_model
    from procrop.model_zoo import resolve_gallery

    checkpoint, first = find_model(args.checkpoint, next(iter(galleries.values()), None))
    galleries = {name: resolve_gallery(folder) for name, folder in galleries.items()}
    from procrop.demo import DemoLimits, SessionStore, SharedCropper
    from procrop.demo.server import open_socket, serve
    from procrop.inference import CropInferencer

    limits = DemoLimits(
        args.max_upload_mb, args.max_pixels, args.max_photos, args.max_sessions, args.memory_mb
    )
    listener = open_socket(args.host, args.port)
    text = False if args.no_text else None
    cropper = CropInferencer(checkpoint, first, args.device, args.k, text=text)
    store = SessionStore(SharedCropper(cropper, galleries, limits))
    try:
        _tell(args.host, listener)
        serve(store, listener)
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
    finally:
        store.close()
    return 0


def read_galleries(given: Sequence[str]) -> dict[str, Path]:
    """Name -> folder, of ``NAME=DIR``; a folder alone is called as it is.

    Raises:
        ValueError: a name or a folder is missing, or a name comes twice.
    """
    galleries: dict[str, Path] = {}
    for text in given:
        name, sign, folder = text.partition("=")
        if not sign:
            name, folder = Path(os.path.abspath(text)).name, text
        if not name.strip() or not folder:
            raise ValueError(
                f"--gallery {text}: write NAME=DIR, e.g. --gallery portraits=galleries/portraits"
            )
        if name.strip() in galleries:
            raise ValueError(
                f"--gallery {text}: there are two galleries of the name {name.strip()!r}; rename one"
            )
        galleries[name.strip()] = Path(folder)
    return galleries


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address."""
    import ipaddress

    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # another name
        return False


def _tell(host: str, listener: socket.socket) -> None:
    if not is_loopback(host):
        print(
            f"warning: --host {host}: everybody who reaches this machine over the network can use the page and its "
            "model; there is no password, and nothing is encrypted",
            file=sys.stderr,
        )
    port = listener.getsockname()[1]
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    print(f"the page is at http://{shown}:{port} (Ctrl-C ends it)", flush=True)

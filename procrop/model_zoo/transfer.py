"""One file from an address into a part file, going on where an earlier try broke off."""

import http.client
import os
import re
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from procrop import __version__
from procrop.io.progress import byte_progress

from .errors import DownloadError
from .locations import MIRROR_VARIABLE, is_remote, path_of

_CHUNK, _TIMEOUT = 1 << 16, 30.0
_PAUSES = (1.0, 3.0, 10.0)  # seconds before the next try; a try that brought something begins the row anew
_PASSING = (408, 425, 429, 500, 502, 503, 504)
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")


class _BrokenOffError(Exception):
    """The transfer ended too early; the next try may go on."""


class _RangeRefusedError(_BrokenOffError):
    """What is there already is more than the server has; the next try begins anew."""


def transfer(source: str, part: Path, size: int) -> None:
    """Fetch ``source`` until ``part`` holds ``size`` bytes; progress goes to stderr.

    What ``part`` holds already is kept: a server is asked for the rest (Range), and one that cannot give it sends all.
    A transfer that breaks off is taken up again after a pause. Proxies are those of the environment (``https_proxy``,
    ``no_proxy``).

    Args:
        source: an address (http, https, file), or a path.
        part: the unfinished file; it stays when the transfer fails.
        size: bytes that the file must have.

    Raises:
        DownloadError: There is no such file, nobody answers, or what is there has another size.
        OSError: The part file cannot be written.
    """
    pauses = list(_PAUSES)
    while True:
        before = _length(part)
        try:
            _go_on(source, part, size)
            return
        except _BrokenOffError as error:
            if isinstance(error, _RangeRefusedError):
                part.unlink()
            there = _length(part)
            if there > before:
                pauses = list(_PAUSES)
            if not pauses:
                raise DownloadError(
                    f"{source}: {error}, {there:,} of {size:,} bytes are there; run it again to go on from here"
                ) from error
            print(f"{source}: {error}; trying again in {pauses[0]:g} s", file=sys.stderr)
            time.sleep(pauses.pop(0))


def _length(part: Path) -> int:
    return part.stat().st_size if part.exists() else 0


def _go_on(source: str, part: Path, size: int) -> None:
    have = _length(part)
    if have > size:  # of another file
        part.unlink()
        have = 0
    if have == size:
        return
    with _opened(source, have) as (stream, start, total):
        if total is not None and total != size:
            raise DownloadError(
                f"{source}: has {total:,} bytes, but the published file has {size:,}; it is another file (an outdated "
                f"mirror, or a page in its place): see what is there, and whether {MIRROR_VARIABLE} is right"
            )
        if start not in (0, have):
            raise _RangeRefusedError("the server sent another part than the one it was asked for")
        with open(part, "ab" if start else "wb") as out:
            for chunk in byte_progress(_chunks(stream), size, part.name.split(".")[1], start):
                out.write(chunk)
                if out.tell() > size:
                    raise DownloadError(f"{source}: is longer than the {size:,} bytes of the published file")
            out.flush()
            os.fsync(out.fileno())
    if _length(part) < size:
        raise _BrokenOffError("the transfer broke off")


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    try:
        while chunk := stream.read(_CHUNK):
            yield chunk
    except (TimeoutError, ConnectionError, ssl.SSLError, http.client.HTTPException) as error:
        raise _BrokenOffError(f"the transfer broke off ({type(error).__name__})") from error


@contextmanager
def _opened(source: str, have: int) -> Iterator[tuple[IO[bytes], int, int | None]]:
    """The stream, the byte of the file that it begins with, and the bytes of the whole file where they are told."""
    if not is_remote(source):
        with _opened_file(source, have) as opened:
            yield opened
        return
    headers = {"User-Agent": f"procrop/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    with _answer(urllib.request.Request(source, headers=headers)) as response:
        yield response, *_extent(response)


@contextmanager
def _opened_file(source: str, have: int) -> Iterator[tuple[IO[bytes], int, int]]:
    path = path_of(source)
    try:
        file = open(path, "rb")
    except OSError as error:
        raise DownloadError(
            f"{path}: cannot be read ({error.strerror}); see whether the folder is there, and whether "
            f"{MIRROR_VARIABLE} names it (it holds MODEL/FILE)"
        ) from error
    with file:
        file.seek(have)
        yield file, have, os.fstat(file.fileno()).st_size


def _answer(request: urllib.request.Request) -> http.client.HTTPResponse:
    url = request.full_url
    try:
        # an opener of its own: the shared one keeps the proxies of its first use
        return urllib.request.build_opener().open(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        with error:
            if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and request.has_header("Range"):
                raise _RangeRefusedError("the server has less than what is here") from error
            if error.code in _PASSING:
                raise _BrokenOffError(f"the server answers {error.code} {error.reason}") from error
            raise DownloadError(
                f"{url}: the server answers {error.code} {error.reason}; the file may have moved: take a newer "
                f"version of procrop, or name a mirror that has it ({MIRROR_VARIABLE})"
            ) from error
    except urllib.error.URLError as error:
        raise _unreachable(url, error.reason) from error
    except TimeoutError as error:
        raise _BrokenOffError(f"no answer within {_TIMEOUT:g} seconds") from error
    except (ConnectionError, http.client.HTTPException) as error:
        raise _BrokenOffError(f"the connection broke off ({type(error).__name__})") from error


def _unreachable(url: str, reason: object) -> DownloadError:
    if isinstance(reason, ssl.SSLCertVerificationError):
        remedy = "name the file of your certificates in the environment variable SSL_CERT_FILE"
    else:
        remedy = (
            "see to the network or the proxy (https_proxy); without a network, copy the file onto this machine as "
            f"DIR/MODEL/{url.rpartition('/')[2]} and set {MIRROR_VARIABLE}=DIR"
        )
    return DownloadError(f"{url}: cannot be reached ({reason}); {remedy}")


def _extent(response: http.client.HTTPResponse) -> tuple[int, int | None]:
    if response.status == http.HTTPStatus.PARTIAL_CONTENT:
        match = _RANGE.match(response.headers.get("Content-Range", ""))
        if match is None:
            return -1, None
        return int(match[1]), None if match[2] == "*" else int(match[2])
    length = response.headers.get("Content-Length", "")
    return 0, int(length) if length.isdigit() else None

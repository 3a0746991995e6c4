"""A server of files on the loopback interface that can be told to misbehave, and metafiles of what it serves."""

import hashlib
import re
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import yaml
from loopback import running


class FileServer:
    """Serves ``files`` (path -> bytes) and remembers what it was asked.

    Attributes:
        ranges: Whether it gives parts of files.
        cuts: Bytes after which it closes the connection, answer by answer; None sends all.
        statuses: HTTP statuses in place of the file, answer by answer.
        asked: (path, Range header or None) of each request.
    """

    def __init__(self, files):
        self.files, self.ranges = files, True
        self.cuts, self.statuses, self.asked = [], [], []
        self.url = None

    def handler(self):
        """The class that answers requests."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                owner.asked.append((self.path, wanted))
                path = re.sub(r"^http://[^/]+", "", self.path)  # as a proxy is asked
                if owner.statuses:
                    return self.send_error(owner.statuses.pop(0))
                if path not in owner.files:
                    return self.send_error(404)
                data, start = owner.files[path], 0
                if wanted and owner.ranges:
                    start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                    if start >= len(data):
                        return self.send_error(416)
                self.send_response(206 if start else 200)
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                cut = owner.cuts.pop(0) if owner.cuts else None
                self.wfile.write(data[start:][:cut])

            def log_message(self, *args):
                pass

        return Handler


@contextmanager
def serving(files):
    """A running `FileServer`."""
    server = FileServer(files)
    with running(server.handler()) as url:
        server.url = url
        yield server


def sha256(data):
    """Hex SHA-256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def model_entry(weights, data, name="tiny", **more):
    """The entry of a model whose weights are these bytes."""
    entry = {
        "Name": name,
        "In Collection": "ProCrop",
        "Config": "configs/procrop_toy.py",
        "Metadata": {"Training Data": ["drawn photos"], "Parameters": 3},
        "Weights": weights,
        "SHA-256": sha256(data),
        "Size": len(data),
        "License": "CC0-1.0",
    }
    return entry | more


def write_metafile(path: Path, *models, **more) -> Path:
    """A user's metafile."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump({"Models": list(models)} | more, sort_keys=False))
    return path

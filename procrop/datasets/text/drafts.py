"""Captions that a running build has generated so far: a kill loses those of a few photos, and no more."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from procrop.io.atomic import write_json
from procrop.io.manifest import sha256_json

from .text_format import DRAFTS

# id of a photo and hash of its file (None: unreadable) -> its caption, or None and why there is none
_Entries = dict[tuple[str, str | None], tuple[str | None, str | None]]


class Drafts:
    """The generated captions of one text folder in the making, or of one part of it.

    Args:
        folder: The text folder or the part.
        maker: Fingerprint of the caption model; drafts of another one are passed over.
    """

    def __init__(self, folder: str | os.PathLike, maker: str | None) -> None:
        self.folder, self.maker = Path(folder, DRAFTS), maker

    def read(self) -> _Entries:
        """All that is there and can be read."""
        found: _Entries = {}
        for path in sorted(self.folder.glob("*.json")):
            try:
                record = json.loads(path.read_text(encoding="ascii"))
                if record["maker"] != self.maker or record["check"] != sha256_json(record["entries"]):
                    continue
                found.update({(img_id, photo): (text, why) for img_id, photo, text, why in record["entries"]})
            except (OSError, ValueError, TypeError, KeyError):  # damaged: these captions are generated again
                continue
        return found

    def write(self, ids: Iterable[str], entries: _Entries) -> None:
        """Write what is known of a chunk, in place of what was written of it before.

        Args:
            ids: The chunk's photos, which name the file.
            entries: What was found out.
        """
        rows = [[*key, *value] for key, value in entries.items()]
        record = {"maker": self.maker, "entries": rows, "check": sha256_json(rows)}
        write_json(self.folder / f"{sha256_json(list(ids))[:16]}.json", record)

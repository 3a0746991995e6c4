"""Files of captions: one line per photo, made to be read and edited by people."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from procrop.io.unicode import check_unicode

from .text_format import BUILD, TextTableError

SOURCES = ("generated", "given")


class Caption(NamedTuple):
    """What is written about a photo.

    Attributes:
        text: The caption.
        source: "generated" by a caption model, or "given" by a person.
        line: Its line in the file it was read from, from 1; 0 when it comes from none.
    """

    text: str
    source: str = "given"
    line: int = 0


def caption_line(img_id: str, caption: Caption) -> str:
    """A line of ``captions.jsonl``: letters of all languages as they are."""
    record = {"id": img_id, "caption": caption.text, "source": caption.source}
    text = json.dumps(record, ensure_ascii=False)
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:  # a file name that was no UTF-8
        text = json.dumps(record)
    return text + "\n"


def read_captions(path: str | os.PathLike) -> dict[str, Caption]:
    """Read ``captions.jsonl``: photo id to caption, in the order of the file. A line without a source is a given one.

    Raises:
        FileNotFoundError: There is no such file.
        TextTableError: A line cannot be used; the message names file and line.
    """
    return _collected(path, _json_records(path))


def read_given_captions(path: str | os.PathLike, paths: bool = False) -> dict[str, Caption]:
    """Read a user's file of captions: lines of JSON with ``id`` and ``caption``, or ``id<TAB>caption``.

    Args:
        path: The file.
        paths: Whether a line of JSON may name its photo by ``path`` in place of ``id``.

    Returns:
        Photo id to caption, each with source "given".

    Raises:
        TextTableError: There is no such file, or a line cannot be used; the message names file and line.
    """
    try:
        lines = list(_lines(path))
    except FileNotFoundError:
        raise TextTableError(f"{path}: no such file of captions") from None
    is_json = bool(lines) and lines[0][1].startswith("{")
    records = _json_records(path) if is_json else _tabbed_records(path, lines)
    if paths:
        records = ((number, _named_by_path(record)) for number, record in records)
    found = _collected(path, records)
    if not found:
        raise TextTableError(
            f'{path}: holds no caption; write lines like {{"id": "photo1", "caption": "..."}}'
        )
    return {img_id: caption._replace(source="given") for img_id, caption in found.items()}


def _named_by_path(record: dict) -> dict:
    if "id" in record or "path" not in record:
        return record
    return {("id" if key == "path" else key): value for key, value in record.items()}


def _lines(path: str | os.PathLike) -> Iterator[tuple[int, str]]:
    """Number, from 1, and text of each line that is not blank."""
    try:
        # an editor may have put a byte order mark before the first line
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise TextTableError(f"{path}: is no UTF-8 text ({error}); save it as UTF-8") from error
    # not splitlines(), which also splits at signs that may stand in a caption
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line.rstrip("\r")


def _json_records(path: str | os.PathLike) -> Iterator[tuple[int, dict]]:
    for number, line in _lines(path):
        try:
            record = json.loads(line)
        except ValueError as error:
            raise TextTableError(
                f"{path}: line {number}: is no JSON ({error}); mend or delete the line"
            ) from None
        if not isinstance(record, dict):
            raise TextTableError(f'{path}: line {number}: must be {{"id": ..., "caption": ...}}')
        yield number, record


def _tabbed_records(path: str | os.PathLike, lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, dict]]:
    for number, line in lines:
        img_id, tab, text = line.partition("\t")
        if not tab:
            raise TextTableError(f"{path}: line {number}: must be id<TAB>caption, or all lines must be JSON")
        yield number, {"id": img_id, "caption": text}


def _collected(path: str | os.PathLike, records: Iterable[tuple[int, dict]]) -> dict[str, Caption]:
    captions: dict[str, Caption] = {}
    for number, record in records:
        img_id, caption = record.get("id"), Caption(*_checked(path, number, record), number)
        if img_id in captions:
            raise TextTableError(
                f"{path}: line {number}: {img_id!r} has a caption in line {captions[img_id].line} already; delete one"
            )
        captions[img_id] = caption
    return captions


def _checked(path: str | os.PathLike, number: int, record: dict) -> tuple[str, str]:
    """Caption and source of a line."""
    for key in ("id", "caption"):
        if not isinstance(record.get(key), str):
            raise TextTableError(f'{path}: line {number}: needs "{key}", a text')
    if unknown := sorted(set(record) - {"id", "caption", "source"}):
        raise TextTableError(
            f"{path}: line {number}: unknown key {unknown[0]!r}; it takes id, caption, source"
        )
    source = record.get("source", "given")
    if source not in SOURCES:
        raise TextTableError(f"{path}: line {number}: source must be one of {SOURCES}, not {source!r}")
    if not record["caption"].strip():
        raise TextTableError(
            f"{path}: line {number}: the caption of {record['id']!r} is empty; write one, or delete the line "
            f"(where captions are generated, it is then made anew: {BUILD})"
        )
    for key in ("id", "caption"):
        try:
            check_unicode(record[key])
        except ValueError as error:
            raise TextTableError(f"{path}: line {number}: the {key} {error}") from None
    return record["caption"], source

"""The last step of a build: all chunks of a text folder become one store with an index and a manifest."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

from procrop.io.atomic import write_text
from procrop.io.manifest import verify_manifest, write_manifest
from procrop.retrieval.feature_store import STORE_NAME, FeatureStore

from .captions import Caption
from .chunks import ChunkFolder, ChunkTable, Made, chunk_files, chunk_name
from .planned import captions_text, in_order, previous_manifest
from .text_format import (
    CAPTIONS_FILE,
    DRAFTS,
    INDEX_FILE,
    KIND,
    PARTS,
    REJECTED_FILE,
    TOKENS,
    VERSION,
    IndexLine,
    TextTableError,
    hash_caption,
    portable_encoder,
)
from .text_table import read_index
from .text_work import TextWork, find_chunk


def finish_text(work: TextWork, tables: Sequence[ChunkTable], encoder_cfg: dict) -> None:
    """Write what readers of the folder open, and remove what the build needed; nothing is written that is there.

    Args:
        work: The build, whose process holds the folder's lock.
        tables: All chunks in their order.
        encoder_cfg: Config of the encoder.

    Raises:
        TextTableError: No photo has tokens.
        OSError: The disk is full; what is finished is kept.
    """
    folder, names = work.folder, [chunk_name(table.plan) for table in tables]
    rejected = [entry for table in tables for entry in table.rejected]
    if not any(table.made for table in tables):
        raise TextTableError(
            f"{folder}: no photo can have tokens; the first, {rejected[0][0]!r}: {rejected[0][1]}"
        )
    _adopt(work, tables)
    captions = in_order({**work.captions, **work.generated}, [photo.id for photo in work.photos])
    texts = {
        # the index first: what it says of a photo is true with the captions before and after
        INDEX_FILE: "".join(line.to_line() for line in _index(work, tables, captions)),
        REJECTED_FILE: "".join(json.dumps({"id": i, "reason": why}) + "\n" for i, why in rejected),
        CAPTIONS_FILE: captions_text(captions),
    }
    extra = _extra(work, names, encoder_cfg)
    if not _is_up_to_date(folder, texts, extra, work.encoder.fingerprint):
        for file, text in texts.items():
            write_text(folder / file, text)
        rows = [(Path(chunk_files(n)[0]).name, t.rows, t.sha256) for n, t in zip(names, tables, strict=True)]
        store = FeatureStore.assemble(folder / TOKENS, (work.encoder.token_dim,), "float16", rows)
        chunks = [file for name in names for file in chunk_files(name)]
        files = [*texts, f"{TOKENS}/{STORE_NAME}", *chunks]
        assert len(store) == sum(table.rows for table in tables)
        fingerprint = work.encoder.fingerprint
        write_manifest(folder, kind=KIND, version=VERSION, fingerprint=fingerprint, files=files, extra=extra)
    _clean(folder, names)


def _adopt(work: TextWork, tables: Sequence[ChunkTable]) -> None:
    """Bring all chunks into the folder."""
    target = ChunkFolder(work.folder)
    for table in tables:
        place = find_chunk(work.folder, table)
        if place is None:
            raise TextTableError(
                f"{work.folder}: chunk {chunk_name(table.plan)} has gone meanwhile; build again"
            )
        if place.folder != work.folder:
            target.adopt(place, chunk_name(table.plan))


def _index(work: TextWork, tables: Sequence[ChunkTable], captions: dict[str, Caption]) -> list[IndexLine]:
    """An entry for each caption."""
    try:
        before = read_index(work.folder / INDEX_FILE)
    except (OSError, ValueError, TypeError):
        before = {}
    places: dict[str, tuple[int, Made]] = {}
    start = 0
    for made in (made for table in tables for made in table.made):
        places[made.id] = start, made
        start += made.length
    lines = []
    for img_id, caption in captions.items():
        digest, generated = hash_caption(caption.text), None
        if caption.source == "generated":
            earlier = before[img_id].generated if img_id in before else None
            generated = digest if img_id in work.generated or earlier is None else earlier
        start, made = places.get(img_id, (0, None))
        photo, length = (made.photo, made.length) if made else (None, 0)
        lines.append(IndexLine(img_id, digest, generated, photo, start, length))
    return lines


def _extra(work: TextWork, names: list[str], encoder_cfg: dict) -> dict:
    """What the manifest says beside the files."""
    return {
        "caption_fingerprint": _caption_model(work),
        "encoder": portable_encoder(encoder_cfg),
        "token_dim": work.encoder.token_dim,
        "max_tokens": work.encoder.max_tokens,
        "needs_photo": work.encoder.needs_photo,
        "chunks": names,
    }


def _caption_model(work: TextWork) -> str | None:
    """Fingerprint of what wrote the generated captions: that of the earlier model while any caption of it is left."""
    before = (previous_manifest(work.folder) or {"extra": {}})["extra"].get("caption_fingerprint")
    earlier = (img_id for img_id, caption in work.captions.items() if caption.source == "generated")
    if before is not None and not work.rebuild and any(img_id not in work.generated for img_id in earlier):
        return before
    return work.encoder.caption_fingerprint or before


def _is_up_to_date(folder: Path, texts: dict[str, str], extra: dict, fingerprint: str) -> bool:
    """Whether the folder holds exactly this already."""
    before = previous_manifest(folder)
    if before is None or before["extra"] != extra or before["fingerprint"] != fingerprint:
        return False
    try:
        same = all((folder / file).read_bytes() == text.encode() for file, text in texts.items())
    except OSError:
        return False
    return same and not verify_manifest(folder)


def _clean(folder: Path, names: list[str]) -> None:
    """Remove chunks of an earlier state, drafts, parts, and what killed builds left half-written."""
    ChunkFolder(folder).keep_only(names)
    for place in (DRAFTS, PARTS):
        shutil.rmtree(folder / place, ignore_errors=True)
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)

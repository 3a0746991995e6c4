"""Building the text of a dataset, in one process or in several that see the same folder."""

import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from procrop.io.atomic import write_json
from procrop.io.lock import FolderLockedError, is_locked
from procrop.io.manifest import sha256_json
from procrop.io.writing import writing_to

from .captions import Caption
from .finish import finish_text
from .planned import distinct_photos, prepare_folder, put_given
from .text_format import INDEX_FILE, LOCK_FILE, PARTS, TextPhoto, TextTableError
from .text_table import TextTable, read_index
from .text_work import TextWork

if TYPE_CHECKING:
    from procrop.models.text import TextEncoder

# seconds that a process waits for others that write the captions they were given
PATIENCE = 60.0
_POLL = 0.1
_DONE = "done.json"


@dataclass(frozen=True)
class TextBuild:
    """What a build has done.

    Attributes:
        table: The finished text; None where other processes have not finished their parts.
        captioned: Photos whose captions this process has generated.
        encoded: Photos that it has encoded.
        rejected: (id, reason) of photos that have no tokens.
        unknown: Ids with a caption that are no photo of the datasets; their captions are kept.
    """

    table: TextTable | None
    captioned: int
    encoded: int
    rejected: list[tuple[str, str]]
    unknown: list[str]


def build_text(
    folder: str | os.PathLike,
    photos: Iterable[TextPhoto],
    encoder: "TextEncoder",
    encoder_cfg: dict,
    given: Mapping[str, Caption] | None = None,
    forget: bool = False,
    **options: Any,
) -> TextBuild:
    """Build the text of a dataset, or bring the one in ``folder`` up to date.

    Captions are generated for photos that have none; tokens are made of photos that are new, whose caption was edited
    or whose file has changed (where the encoder looks at it). A build that was killed goes on where it was, and one
    that has nothing to do ends at once. The bytes that result depend on photos, captions and encoder alone, neither
    on interruptions nor on the number of processes.

    Args:
        folder: The text folder; made when absent.
        photos: In the order of the dataset.
        encoder: What writes captions and encodes.
        encoder_cfg: Config that builds it again; written down.
        given: A user's captions by photo id, which replace those that are there.
        forget: Drop the tokens of photos that are in the folder and not among ``photos``; their captions are kept.
        **options: ``rebuild`` (replace the tokens of another encoder; captions are kept), ``chunk_size`` and
            ``workers`` of `TextWork`.

    Raises:
        TextTableError: No photo, none that can have tokens, tokens of other photos without ``forget``, a caption file
            that cannot be used, another encoder than before without ``rebuild``, a folder that holds something else,
            or a build that is running there.
        OSError: The disk is full; what was finished is kept.
    """
    folder, photos = Path(folder), distinct_photos(photos)
    prepare_folder(folder)
    with writing_to(folder, LOCK_FILE, TextTableError):
        if live := _live_parts(folder):
            raise TextTableError(f"{live[0]}: is still being built; wait for it")
        if not forget:
            _check_none_lost(folder, photos)
        if given:
            put_given(folder, given, photos)
        work = TextWork(folder, photos, encoder, **options)
        tables = list(work.run(range(len(work.chunks))).values())
        finish_text(work, tables, encoder_cfg)
    rejected = [entry for table in tables for entry in table.rejected]
    return TextBuild(TextTable.open(folder), work.captioned, work.encoded, rejected, _unknown(work, given))


def build_share(
    folder: str | os.PathLike,
    photos: Iterable[TextPhoto],
    encoder: "TextEncoder",
    encoder_cfg: dict,
    rank: int,
    processes: int,
    given: Mapping[str, Caption] | None = None,
    forget: bool = False,
    **options: Any,
) -> TextBuild:
    """Build part ``rank`` (from 0) of ``processes`` of a dataset's text, in a folder of its own below ``folder``.

    All processes are given the same photos and captions. The one that is done last joins the parts; where one of them
    is missing, `build_text` does so and makes the rest.

    Args and raises: as `build_text`.
    """
    if not 0 <= rank < processes:
        raise ValueError(f"process {rank} of {processes}: they are counted from 0 to {processes - 1}")
    folder, photos = Path(folder), distinct_photos(photos)
    prepare_folder(folder)
    if not forget:
        _check_none_lost(folder, photos)
    if given:
        with _waiting(folder):
            put_given(folder, given, photos)
    part = folder / PARTS / f"{rank}of{processes}"
    with writing_to(part, LOCK_FILE, TextTableError):
        (part / _DONE).unlink(missing_ok=True)
        work = TextWork(folder, photos, encoder, target=part, **options)
        tables = work.run(range(len(work.chunks))[rank::processes])
        whole = sha256_json(
            [encoder.fingerprint, encoder.caption_fingerprint, [photo.id for photo in photos]]
        )
        write_json(part / _DONE, whole)
    rejected = [entry for table in tables.values() for entry in table.rejected]
    own = TextBuild(None, work.captioned, work.encoded, rejected, _unknown(work, given))
    joined = (
        _join(folder, photos, encoder, encoder_cfg, options | dict(forget=forget))
        if _all_done(folder, processes, whole)
        else None
    )
    if joined is None:
        return own
    captioned, encoded = own.captioned + joined.captioned, own.encoded + joined.encoded
    return replace(joined, captioned=captioned, encoded=encoded, unknown=own.unknown)


def _join(
    folder: Path, photos: list[TextPhoto], encoder: "TextEncoder", encoder_cfg: dict, options: dict
) -> TextBuild | None:
    """Finish the folder; None when another process does."""
    if _live_parts(folder):
        return None
    try:
        return build_text(folder, photos, encoder, encoder_cfg, **options)
    except TextTableError as error:
        if _is_taken(error):
            return None
        raise


def _check_none_lost(folder: Path, photos: list[TextPhoto]) -> None:
    """Refuse a build that lists fewer photos than the folder has tokens of: a part of the data, most likely."""
    try:
        index = read_index(folder / INDEX_FILE)
    except (OSError, ValueError, TypeError):
        return
    listed = {photo.id for photo in photos}
    lost = [img_id for img_id, line in index.items() if line.length and img_id not in listed]
    if lost:
        raise TextTableError(
            f"{folder}: has tokens of {len(lost)} photos that are not listed now, {lost[0]!r} among them, and would "
            f"lose them: build with a config that lists all photos of the folder, or say --forget"
        )


def _all_done(folder: Path, processes: int, whole: str) -> bool:
    for rank in range(processes):
        try:
            done = (folder / PARTS / f"{rank}of{processes}" / _DONE).read_text(encoding="ascii")
        except OSError:
            return False
        if json.loads(done) != whole:
            return False
    return True


def _live_parts(folder: Path) -> list[Path]:
    """Parts that a process is writing to."""
    return [lock.parent for lock in sorted((folder / PARTS).glob(f"*/{LOCK_FILE}")) if is_locked(lock)]


def _unknown(work: TextWork, given: Mapping[str, Caption] | None) -> list[str]:
    """Ids of captions that no photo has."""
    ids = {photo.id for photo in work.photos}
    return [img_id for img_id in dict.fromkeys([*work.captions, *(given or ())]) if img_id not in ids]


@contextmanager
def _waiting(folder: Path) -> Iterator[None]:
    """Hold the folder's lock; wait a while for processes that hold it just as briefly."""
    end = time.monotonic() + PATIENCE
    with ExitStack() as stack:
        while True:
            try:
                stack.enter_context(writing_to(folder, LOCK_FILE, TextTableError))
                break
            except TextTableError as error:
                if not _is_taken(error) or time.monotonic() > end:
                    raise
            time.sleep(_POLL)
        yield


def _is_taken(error: TextTableError) -> bool:
    """Whether a folder was refused because another process writes there."""
    return isinstance(error.__cause__, FolderLockedError)

"""Whether the text of a dataset is what it says it is, from end to end."""

import os
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from procrop.io.manifest import sha256_file, verify_manifest

from .text_format import BUILD, CAPTIONS_FILE, TextPhoto, TextTableError
from .text_table import TextTable


def verify_text(
    folder: str | os.PathLike, photos: Iterable[TextPhoto], allow_missing: bool = False
) -> list[str]:
    """Check every file, every token, and that every photo has some.

    Args:
        folder: The text folder.
        photos: Photos of the datasets.
        allow_missing: Whether photos without a caption are all right.

    Returns:
        One line per problem; empty when all is well.
    """
    try:
        table = TextTable.open(folder)
    except TextTableError as error:
        return [str(error)]
    # people may put captions.jsonl into another order; each caption was compared on opening
    captions = f"{Path(folder, CAPTIONS_FILE)}:"
    problems = [problem for problem in verify_manifest(folder) if not problem.startswith(captions)]
    if problems:
        return problems
    for img_id in table.ids:
        tokens = table.lookup(img_id).tokens
        if not np.isfinite(tokens).all():
            problems.append(f"{folder}: the tokens of {img_id!r} are not finite; make them again: {BUILD}")
        if len(tokens) > table.max_tokens:
            problems.append(f"{folder}: {img_id!r} has {len(tokens)} tokens, more than {table.max_tokens}")
    for photo in photos:
        if photo.id not in table:
            if not allow_missing:
                problems.append(f"{folder}: no tokens of the photo {photo.id!r}; make them: {BUILD}")
        elif (problem := _photo_problem(photo, table.index[photo.id].photo)) is not None:
            problems.append(problem)
    return problems


def _photo_problem(photo: TextPhoto, noted: str | None) -> str | None:
    """What is wrong with the file of a photo whose tokens depend on it."""
    if noted is None:
        return None
    try:
        found = sha256_file(photo.path)
    except OSError as error:
        return f"{photo.path}: the photo cannot be read ({error.strerror}); restore it"
    if found != noted:
        return f"{photo.path}: the photo has changed since its tokens were made; make them again: {BUILD}"
    return None

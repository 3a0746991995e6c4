"""Files of a model in transformers' layout: in a folder, or of a hub name in the local cache."""

import json
import os
from collections.abc import Sequence


def published_file(
    model: str,
    names: Sequence[str],
    revision: str | None,
    local_files_only: bool,
    kind: str,
    hint: str = "",
    published: str = "",
) -> str:
    """Path of the first of ``names`` that the folder or the hub repository has.

    Args:
        model: Folder, or hub name.
        names: File names, the preferred one first.
        revision: Commit of the hub repository; nothing to a folder.
        local_files_only: Take hub files from the local cache and never from the network.
        kind: What is looked for, e.g. ``"a CLIP"``, for the message.
        hint: What else may help when a file is missing; a whole clause.
        published: Hub name of published weights, for a ``model`` that is a folder yet to be filled.

    Raises:
        FileNotFoundError: None of them is there, with the command that fetches them.
    """
    from transformers.utils import cached_file

    for name in names:
        try:
            path = cached_file(model, name, revision=revision, local_files_only=local_files_only)
        except OSError:
            continue
        if path is not None:
            return path
    what, more = " or ".join(names), f"; {hint}" if hint else ""
    if os.path.isdir(model):
        raise FileNotFoundError(
            f"{model}: the folder has no {what}; {kind} saved by transformers is needed{more}"
        )
    folder = f", a folder is filled by `hf download {published} --local-dir {model}`" if published else ""
    pin = "" if revision is None else f" --revision {revision}"
    raise FileNotFoundError(
        f"{model}: no such folder, and no {what} under this name in the local hub cache; a hub name is fetched once "
        f"with `hf download {model}{pin}` (huggingface-cli in older installations) or by local_files_only=False"
        f"{folder}{more}"
    )


def read_model_description(path: str) -> dict:
    """The object in a ``config.json``.

    Raises:
        ValueError: The file is no JSON object.
    """
    try:
        with open(path, encoding="utf-8") as file:
            raw = json.load(file)
    except ValueError as error:
        raise ValueError(f"{path}: not the description of a model ({error}); fetch it again") from error
    if not isinstance(raw, dict):
        raise ValueError(f"{path}: not the description of a model ({type(raw).__name__}); fetch it again")
    return raw

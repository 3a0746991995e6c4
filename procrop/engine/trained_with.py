"""Which encoders made what a dataset's pipeline loads: references, and text tokens."""

from collections.abc import Callable, Iterator
from typing import Any

from procrop.engine.checkpoint import CheckpointError


def retrievals(dataset: object) -> Iterator[dict[str, Any]]:
    """Fingerprint, token shape and settings of each pipeline step that reads references with tokens."""
    return _found(dataset, _retrieval)


def texts(dataset: object) -> Iterator[dict[str, Any]]:
    """Fingerprint, token width and settings of each pipeline step that reads text tokens."""
    return _found(dataset, _text)


def _retrieval(step: object) -> dict[str, Any] | None:
    fingerprint = getattr(step, "fingerprint", None)
    if not isinstance(fingerprint, str):
        return None
    shape = getattr(step, "token_shape", None)
    return dict(
        fingerprint=fingerprint,
        token_shape=None if shape is None else tuple(int(n) for n in shape),
        config=plain(getattr(step, "retrieval_cfg", None)),
    )


def _text(step: object) -> dict[str, Any] | None:
    encoder = getattr(step, "text_encoder", None)
    return plain(encoder) if isinstance(encoder, dict) else None


def _found(dataset: object, read: Callable[[object], dict[str, Any] | None]) -> Iterator[dict[str, Any]]:
    """What ``read`` finds in the steps of a dataset, and of those that it wraps."""
    pipeline = getattr(dataset, "pipeline", None)
    for step in getattr(pipeline, "transforms", None) or []:
        if (found := read(step)) is not None:
            yield found
    parts = [getattr(dataset, name, None) for name in ("dataset", "_dataset")]
    for part in [*parts, *(getattr(dataset, "datasets", None) or [])]:
        if part is not None and hasattr(part, "__getitem__"):
            yield from _found(part, read)


def check_text(trained: dict[str, Any], present: dict[str, Any]) -> None:
    """Compare the text encoder of a checkpoint with that of the data.

    Args:
        trained: What the checkpoint says, ``meta["procrop"]["text"]``.
        present: What `texts` finds.

    Raises:
        CheckpointError: They differ: the tokens would mean nothing to the model.
    """
    if any(present[key] != trained[key] for key in ("fingerprint", "token_dim")):
        raise CheckpointError(
            f"The checkpoint was trained with text tokens of the encoder {trained['fingerprint'][:12]} (width "
            f"{trained['token_dim']}), but the text folder of the data was made by {present['fingerprint'][:12]} "
            f"(width {present['token_dim']}). Build it with the text encoder of the checkpoint, "
            f"{trained['config']}: python tools/text.py build CONFIG --rebuild"
        )


def plain(value: Any) -> Any:  # noqa: ANN401 (settings of any kind)
    """Settings as plain dicts, lists, strings and numbers: all that a safe reader of checkpoints takes."""
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)

"""What a checkpoint must know beyond its weights: the whole config, and the encoder of its references."""

from collections.abc import Iterator
from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

import procrop
from procrop.engine.checkpoint import CheckpointError
from procrop.registry import HOOKS

_LOOPS = ("_train_loop", "_val_loop", "_test_loop")


@HOOKS.register_module()
class RetrievalFingerprintHook(Hook):
    """Write ``meta["procrop"]`` into checkpoints, and refuse a gallery that another encoder made.

    ``meta["procrop"]`` holds ``version`` (of this package), ``config`` (the merged config as text), ``world_size``, and
    ``retrieval``: None for a model without references, else ``fingerprint`` (hex), ``token_shape`` ``(m, d_r)`` and
    ``config`` (the gallery's retrieval settings, else the config's ``retrieval``), read off the pipeline step of the
    training data that has them.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add what the module says."""
        own = dict(
            version=procrop.__version__,
            config=runner.cfg.pretty_text,
            world_size=runner.world_size,
            retrieval=_only(list(_retrievals(runner.train_dataloader.dataset))),
        )
        if own["retrieval"] is not None and own["retrieval"]["config"] is None:
            own["retrieval"]["config"] = _plain(runner.cfg.get("retrieval"))
        checkpoint["meta"]["procrop"] = own

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare the checkpoint's encoder with the galleries of this run's data.

        Raises:
            CheckpointError: They differ: the tokens would mean nothing to the model.
        """
        meta = checkpoint.get("meta")
        own = (meta.get("procrop") if isinstance(meta, dict) else None) or {}
        trained = own.get("retrieval")
        if not trained:
            return
        for loop in (getattr(runner, name) for name in _LOOPS):
            if not isinstance(loop, BaseLoop):
                continue
            for present in _retrievals(loop.dataloader.dataset):
                if _identity(present) != _identity(trained):
                    raise CheckpointError(
                        f"The checkpoint was trained with references of the encoder {trained['fingerprint'][:12]} "
                        f"(tokens {trained['token_shape']}), but the gallery of the data was made by "
                        f"{present['fingerprint'][:12]} (tokens {present['token_shape']}). Build a gallery with the "
                        "retrieval config of the checkpoint: "
                        "python tools/gallery.py build OUT --photos DIR --retrieval CONFIG"
                    )


def _retrievals(dataset: object) -> Iterator[dict[str, Any]]:
    """Fingerprint, token shape and settings of each pipeline step that reads references with tokens."""
    pipeline = getattr(dataset, "pipeline", None)
    for step in getattr(pipeline, "transforms", None) or []:
        fingerprint = getattr(step, "fingerprint", None)
        if isinstance(fingerprint, str):
            shape = getattr(step, "token_shape", None)
            yield dict(
                fingerprint=fingerprint,
                token_shape=None if shape is None else tuple(int(n) for n in shape),
                config=_plain(getattr(step, "retrieval_cfg", None)),
            )
    parts = [getattr(dataset, name, None) for name in ("dataset", "_dataset")]
    for part in [*parts, *(getattr(dataset, "datasets", None) or [])]:
        if part is not None and hasattr(part, "__getitem__"):
            yield from _retrievals(part)


def _identity(retrieval: dict[str, Any]) -> tuple[str, tuple[int, ...] | None]:
    """What must be equal for a model to read the tokens: who made them, and their shape (a list in some files)."""
    shape = retrieval.get("token_shape")
    return retrieval["fingerprint"], None if shape is None else tuple(shape)


def _only(found: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The one encoder of the training data, or None."""
    if len({item["fingerprint"] for item in found}) > 1:
        raise CheckpointError(
            f"The training data mixes references of {len(found)} encoders, and a model can read one: "
            "build all galleries with one retrieval config"
        )
    return found[0] if found else None


def _plain(value: Any) -> Any:
    """Settings as plain dicts, lists, strings and numbers: all that a safe reader of checkpoints takes."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)

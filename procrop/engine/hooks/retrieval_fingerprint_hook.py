"""What a checkpoint must know beyond its weights: the whole config, and the encoders of its references and texts."""

from typing import Any

from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmengine.runner.base_loop import BaseLoop

import procrop
from procrop.engine.checkpoint import CheckpointError
from procrop.engine.trained_with import check_text, plain, retrievals, texts
from procrop.registry import HOOKS

_LOOPS = ("_train_loop", "_val_loop", "_test_loop")


@HOOKS.register_module()
class RetrievalFingerprintHook(Hook):
    """Write ``meta["procrop"]`` into checkpoints, and refuse a gallery or texts that another encoder made.

    ``meta["procrop"]`` holds ``version`` (of this package), ``config`` (the merged config as text), ``world_size``, and
    ``retrieval``: None for a model without references, else ``fingerprint`` (hex), ``token_shape`` ``(m, d_r)`` and
    ``config`` (the gallery's retrieval settings, else the config's ``retrieval``); and ``text``: None for a model
    without text, else ``fingerprint`` (hex), ``token_dim`` d_t and ``config`` (of the text encoder). Both are read off
    the pipeline steps of the training data that have them.
    """

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add what the module says."""
        data = runner.train_dataloader.dataset
        own = dict(
            version=procrop.__version__,
            config=runner.cfg.pretty_text,
            world_size=runner.world_size,
            retrieval=_only(
                list(retrievals(data)), "references", "build all galleries with one retrieval config"
            ),
            text=_only(list(texts(data)), "text tokens", "build all text folders with one text encoder"),
        )
        if own["retrieval"] is not None and own["retrieval"]["config"] is None:
            own["retrieval"]["config"] = plain(runner.cfg.get("retrieval"))
        checkpoint["meta"]["procrop"] = own

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Compare the checkpoint's encoders with the galleries and text folders of this run's data.

        Raises:
            CheckpointError: They differ: the tokens would mean nothing to the model.
        """
        meta = checkpoint.get("meta")
        own = (meta.get("procrop") if isinstance(meta, dict) else None) or {}
        loops = [loop for name in _LOOPS if isinstance(loop := getattr(runner, name), BaseLoop)]
        for dataset in (loop.dataloader.dataset for loop in loops):
            for present in retrievals(dataset) if own.get("retrieval") else ():
                _check_retrieval(own["retrieval"], present)
            for present in texts(dataset) if own.get("text") else ():
                check_text(own["text"], present)


def _check_retrieval(trained: dict[str, Any], present: dict[str, Any]) -> None:
    if _identity(present) != _identity(trained):
        raise CheckpointError(
            f"The checkpoint was trained with references of the encoder {trained['fingerprint'][:12]} "
            f"(tokens {trained['token_shape']}), but the gallery of the data was made by "
            f"{present['fingerprint'][:12]} (tokens {present['token_shape']}). Build a gallery with the "
            "retrieval config of the checkpoint: procrop gallery build OUT --photos DIR --retrieval CONFIG"
        )


def _identity(retrieval: dict[str, Any]) -> tuple[str, tuple[int, ...] | None]:
    """What must be equal for a model to read the tokens: who made them, and their shape (a list in some files)."""
    shape = retrieval.get("token_shape")
    return retrieval["fingerprint"], None if shape is None else tuple(shape)


def _only(found: list[dict[str, Any]], what: str, remedy: str) -> dict[str, Any] | None:
    """The one encoder of the training data, or None."""
    if (number := len({item["fingerprint"] for item in found})) > 1:
        raise CheckpointError(
            f"The training data mixes {what} of {number} encoders, and a model can read one: {remedy}"
        )
    return found[0] if found else None

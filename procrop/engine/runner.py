"""mmengine's Runner with safe checkpoints, fallback on resume and CPU-capable distributed training."""

from typing import Any

import torch
from mmengine.config import Config
from mmengine.dist import broadcast_object_list
from mmengine.logging import MMLogger
from mmengine.model import is_model_wrapper
from mmengine.registry import RUNNERS
from mmengine.runner import Runner
from mmengine.runner.checkpoint import _load_checkpoint

from procrop.engine import distributed
from procrop.engine.checkpoint import CheckpointError, install_safe_loading, load_weights
from procrop.engine.config_text import checkpoint_config
from procrop.engine.context_shapes import fill_context_shapes
from procrop.engine.quiet import quieten
from procrop.engine.resume import config_changes, find_resumable_checkpoint
from procrop.engine.run_config import RunConfig


@RUNNERS.register_module()
class CropRunner(Runner):
    """The Runner that ``tools/train.py`` and ``tools/test.py`` use.

    Settings beyond mmengine's:
        resume: ``True`` or ``"auto"`` (newest readable checkpoint of the work folder, or a fresh start when there is
            none; with ``True`` and ``load_from``, that file), or a path.
        load_strict: Whether ``load_from`` must fit the model exactly (default ``True``). Resuming always must.
    """

    def __init__(self, *args, cfg: Config | dict | None = None, **kwargs) -> None:
        install_safe_loading()
        super().__init__(*args, cfg=None if cfg is None else RunConfig.of(cfg), **kwargs)

    @classmethod
    def from_cfg(cls, cfg: Config) -> "CropRunner":
        """Build from a config whose model may leave the shapes of its context tokens to gallery and text folder."""
        fill_context_shapes(cfg)
        return super().from_cfg(cfg)

    def setup_env(self, env_cfg: dict) -> None:
        """Start gloo where there is no GPU, then mmengine's set-up, then share the cores."""
        dist_cfg = env_cfg.get("dist_cfg", {})
        distributed.init_distributed(self._launcher, dist_cfg.get("backend"), dist_cfg.get("timeout"))
        super().setup_env(env_cfg)
        distributed.share_cores()

    def build_logger(self, *args, **kwargs) -> MMLogger:
        """mmengine's logger without what it says of itself."""
        return quieten(super().build_logger(*args, **kwargs))

    def wrap_model(self, model_wrapper_cfg: dict | None, model: torch.nn.Module) -> torch.nn.Module:
        """Wrap with :class:`CropDistributedDataParallel` unless the config names another wrapper."""
        settings = dict(model_wrapper_cfg or {})
        settings.setdefault("type", distributed.CropDistributedDataParallel.__name__)
        settings.setdefault("broadcast_buffers", False)
        settings.setdefault("find_unused_parameters", self.cfg.get("find_unused_parameters", False))
        return super().wrap_model(settings if self.distributed else model_wrapper_cfg, model)

    def load_or_resume(self) -> None:
        """Resume or load as the settings say; see the class."""
        if self._has_loaded:
            return
        path = None
        if self._resume is True and self._load_from:
            path = self._load_from
        elif self._resume in (True, "auto"):
            path = self._newest_checkpoint()
            if path is None:
                self.logger.info(f"Nothing to resume in {self.work_dir}: training starts at epoch 1")
        elif self._resume:
            path = str(self._resume)
        if path is not None:
            self.resume(path)
        elif self._load_from:
            self.load_checkpoint(self._load_from, strict=self.cfg.get("load_strict", True))

    def _newest_checkpoint(self) -> str | None:
        """Rank 0 looks, the others follow, so that all resume from one file."""
        found: list[Any] = [None, None]
        if self.rank == 0:
            try:
                path = find_resumable_checkpoint(self.work_dir)
                found = [None if path is None else str(path), None]
            except CheckpointError as error:
                found = [None, str(error)]
        broadcast_object_list(found)
        if found[1] is not None:
            raise CheckpointError(found[1])
        return found[0]

    def resume(self, filename: str, *args, **kwargs) -> None:
        """Continue exactly where a checkpoint was written, after saying what has changed since.

        Raises:
            CheckpointError: The file is damaged, holds no training state, or fits another model or optimizer.
        """
        try:
            super().resume(filename, *args, **kwargs)
        except KeyError as error:
            raise CheckpointError(
                f"{filename}: cannot be resumed, it holds no {error} (weights only?): "
                "set load_from to start a new training from its weights"
            ) from error
        except ValueError as error:
            if isinstance(error, CheckpointError):
                raise
            raise CheckpointError(
                f"{filename}: its optimizer state does not fit this config ({error})"
            ) from error

    def load_checkpoint(
        self,
        filename: str,
        map_location: Any = "cpu",
        strict: bool | None = None,
        revise_keys: list | None = None,
    ) -> dict[str, Any]:
        """Read a checkpoint safely and put its weights into the model.

        Args:
            filename: Path or URL.
            map_location: As for ``torch.load``.
            strict: Whether every weight must fit; by default yes.
            revise_keys: Not used: the prefix ``module.`` is always dropped.

        Returns:
            The checkpoint.

        Raises:
            CheckpointError: See :func:`~procrop.engine.checkpoint.load_weights`.
        """
        checkpoint = _load_checkpoint(str(filename), map_location=map_location)
        meta = checkpoint.get("meta")
        if isinstance(meta, dict):
            meta.pop("config", None)  # mmengine would run this text as Python
        if self._resume:
            self._tell_changes(checkpoint, str(filename))
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        model = self.model.module if is_model_wrapper(self.model) else self.model
        report = load_weights(model, checkpoint, strict=strict is not False, name=str(filename))
        self._has_loaded = True
        self.logger.info(f"{filename}: {report.summary()}")
        return checkpoint

    def _tell_changes(self, checkpoint: dict[str, Any], name: str) -> None:
        """Warn of a changed config or number of processes: the run goes on, but not exactly as it would have."""
        meta = checkpoint.get("meta") or {}
        own = meta.get("procrop") or {}
        world_size = own.get("world_size", self.world_size)
        if world_size != self.world_size:
            self.logger.warning(
                f"{name} was written by {world_size} processes, now there are {self.world_size}: the total batch size "
                "and with it the epoch's steps and the effective learning rate differ"
            )
        try:
            changes = config_changes(checkpoint_config(checkpoint, name), self.cfg)
        except CheckpointError as error:
            self.logger.warning(f"Cannot compare configs: {error}")
            return
        if changes:
            self.logger.warning(
                f"The config has changed since {name} was written:\n  " + "\n  ".join(changes)
            )

"""Checkpoints that survive a kill at any moment.

Each is whole or absent, and none is removed before its successor exists.
"""

import os
from pathlib import Path
from typing import Any

from mmengine.dist import is_main_process
from mmengine.fileio import LocalBackend, register_backend
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from procrop.io.atomic import write_bytes, write_text
from procrop.registry import HOOKS

_BACKEND = "procrop_atomic"


class AtomicLocalBackend(LocalBackend):
    """mmengine's local files, written to a temporary name, flushed and renamed."""

    def put(self, obj: bytes, filepath: str | os.PathLike) -> None:
        """Write ``obj`` to ``filepath``; a full disk raises and leaves what was there."""
        write_bytes(filepath, obj)


register_backend(_BACKEND, AtomicLocalBackend, force=True)  # may be imported twice, e.g. by a reload


@HOOKS.register_module()
class SafeCheckpointHook(CheckpointHook):
    """``CheckpointHook`` with atomic files, successor-first removal and validation that a kill cannot skip.

    Args:
        **kwargs: As for mmengine's ``CheckpointHook``, except ``backend_args`` and ``file_client_args``: local files.
    """

    def __init__(self, **kwargs) -> None:
        super().__init__(backend_args={"backend": _BACKEND}, **kwargs)

    def before_train(self, runner: Runner) -> None:
        """Set up, and catch up on the validation that a kill between checkpoint and validation left out."""
        super().before_train(runner)
        loop = runner.train_loop
        due = (
            runner.val_loop is not None and self.by_epoch and loop.epoch > 0 and loop.epoch >= loop.val_begin
        )
        due = due and (loop.epoch % loop.val_interval == 0 or loop.epoch == loop.max_epochs)
        if due and runner.message_hub.get_info("validated_epoch") != loop.epoch:
            runner.logger.info(f"The checkpoint has no figures of epoch {loop.epoch}: validating it first")
            runner.val_loop.run()

    def after_val_epoch(self, runner: Runner, metrics: dict[str, Any] | None = None) -> None:
        """Note that this epoch is validated, then keep the best."""
        if not hasattr(self, "file_backend"):  # validation alone, without training: nothing to keep
            return
        runner.message_hub.update_info("validated_epoch", runner.epoch)
        super().after_val_epoch(runner, metrics)

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        outdated = []
        if self.max_keep_ckpts > 0 and step not in self.keep_ckpt_ids:
            outdated = list(self.keep_ckpt_ids)[: max(0, len(self.keep_ckpt_ids) + 1 - self.max_keep_ckpts)]
            self.keep_ckpt_ids.append(step)  # a deque of bounded length: the oldest falls out
            runner.message_hub.update_info("keep_ckpt_ids", list(self.keep_ckpt_ids))
        name = self.filename_tmpl.format(step)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, name)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            name,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            write_text(Path(runner.work_dir) / "last_checkpoint", self.last_ckpt)
            for old in outdated:
                Path(self.out_dir, self.filename_tmpl.format(old)).unlink(missing_ok=True)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        """Hide the previous best from mmengine, which would remove it before the new one is written."""
        if not self.save_best:
            return
        previous = self._best_paths()
        self._set_best_paths(dict.fromkeys(previous))
        super()._save_best_checkpoint(runner, metrics)
        current = {
            key: path or previous[key]
            for key, path in self._best_paths().items()
            if path or previous.get(key)
        }
        self._set_best_paths({**previous, **current})
        replaced = {path for key, path in previous.items() if path and current.get(key) != path}
        if is_main_process():
            for path in replaced - set(current.values()):
                # by name: a copied work folder must not reach back into the one it was copied from
                Path(self.out_dir, Path(path).name).unlink(missing_ok=True)

    def _best_paths(self) -> dict[str, str | None]:
        """Best checkpoint so far per metric."""
        if len(self.key_indicators) == 1:
            return {"": self.best_ckpt_path}
        return dict(self.best_ckpt_path_dict)

    def _set_best_paths(self, paths: dict[str, str | None]) -> None:
        if len(self.key_indicators) == 1:
            self.best_ckpt_path = paths[""]
        else:
            self.best_ckpt_path_dict.update(paths)

"""From some epoch on, a cropper labels its own training photos."""

from pathlib import Path
from typing import Any

import torch
from mmengine.dist import broadcast_object_list, gather_object
from mmengine.hooks import EMAHook, Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from procrop.datasets.base import CropDataset
from procrop.datasets.pseudo_labels import LabelVersion, PseudoLabelError, PseudoLabelStore
from procrop.engine.hooks.epoch_seed_hook import nested_datasets
from procrop.engine.hooks.self_distillation_hook import SelfDistillationHook
from procrop.engine.random_state import kept_random_state
from procrop.registry import CURATION, HOOKS

_KEY = "pseudo_labels"
_TEACHERS = ("student", "average")


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Stage 2 of weakly supervised training: at each refresh a teacher predicts crops of the training photos, curation
    chooses among them, and a new version of pseudo labels is committed, which the coming epochs are trained on.

    Each process predicts its share of the photos with the test pipeline; rank 0 gathers, commits one version, and only
    then all processes read it. A checkpoint records the version that its epochs were trained on; a resumed training
    goes back to it and takes back later ones, so that it goes on as if it had never stopped. The training data need
    LoadPseudoLabels in their pipeline. All processes must see the store's folder.

    Args:
        begin_epoch: Epochs trained on annotated crops alone (stage 1); the paper: 100 of 500.
        interval: Epochs from one refresh to the next.
        curation: Config of what chooses labels, AestheticCuration by default.
        teacher: "student" takes the weights in training as they are; "average" takes their running average, which an
            EMAHook or a SelfDistillationHook of the run keeps.
        folder: Of the store; by default ``pseudo_labels`` in the work folder.
        keep: Versions whose labels stay on the disk; see PseudoLabelStore.
        pipeline: Of the prediction; by default that of ``val_dataloader``.
        batch_size: Photos a step of the prediction.
        num_workers: Processes that load photos for it.
        measure: Whether subject, saliency and horizon are measured in the photos for curation.

    Raises:
        ValueError: A number is out of range, or the teacher is unknown. At the start of the training: the data have no
            LoadPseudoLabels, there is no average, or the store does not hold the checkpoint's version.
    """

    priority = "LOW"  # behind what seeds the epoch and what makes teachers

    def __init__(
        self,
        begin_epoch: int = 100,
        interval: int = 10,
        curation: dict | None = None,
        teacher: str = "student",
        folder: str | None = None,
        keep: int | None = 50,
        pipeline: list | None = None,
        batch_size: int = 8,
        num_workers: int = 0,
        measure: bool = True,
    ) -> None:
        if begin_epoch < 0 or interval < 1 or batch_size < 1 or teacher not in _TEACHERS:
            raise ValueError(
                f"PseudoLabelHook needs begin_epoch >= 0, interval >= 1, batch_size >= 1 and a teacher of {_TEACHERS}, "
                f"got {begin_epoch}, {interval}, {batch_size}, {teacher!r}"
            )
        self.begin_epoch, self.interval, self.teacher = begin_epoch, interval, teacher
        self.folder, self.keep, self.pipeline = folder, keep, pipeline
        self.curation = CURATION.build(dict(curation or dict(type="AestheticCuration")))
        self.loading = dict(batch_size=batch_size, num_workers=num_workers, measure=measure)
        self.version = 0
        self._saved: dict[str, Any] = {}
        self._labeller = None

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Remember the version of a training that is resumed."""
        self._saved = (checkpoint.get(_KEY) or {}) if runner._resume else {}

    def before_train(self, runner: Runner) -> None:
        """Refuse at the start what would fail epochs later, and go back to the checkpoint's version."""
        datasets = [d for d in nested_datasets(runner.train_dataloader.dataset) if isinstance(d, CropDataset)]
        self._steps = [
            step for d in datasets for step in d.pipeline.transforms if hasattr(step, "set_version")
        ]
        if not self._steps:
            raise ValueError(
                "PseudoLabelHook: no LoadPseudoLabels in the pipeline of the training data, so labels would reach no "
                "sample; put dict(type='LoadPseudoLabels') behind LoadPhoto"
            )
        self._average(runner)
        if self.begin_epoch >= runner.max_epochs:
            runner.logger.warning(
                f"PseudoLabelHook begins after epoch {self.begin_epoch}, but there are {runner.max_epochs}: "
                "it will do nothing"
            )
        self.store = PseudoLabelStore(self.folder or Path(runner.work_dir) / "pseudo_labels", self.keep)
        self.version = int(self._saved.get("version", 0))
        gone = _on_rank_0(runner, self._go_back)
        if gone:
            runner.logger.warning(
                f"{self.store.folder}: versions {gone[0]} to {gone[-1]} of pseudo labels are taken back; the training "
                f"goes on from version {self.version}"
            )
        self._use_version()
        self._labeller = self._make_labeller(runner, datasets)

    def before_train_epoch(self, runner: Runner) -> None:
        """Refresh the labels when it is time."""
        since = runner.epoch - self.begin_epoch
        if since < 0 or since % self.interval:
            return
        average = self._average(runner)
        model = _bare(runner.model) if average is None else average
        # an epoch with a refresh draws what it would draw without one
        with kept_random_state():
            share = self._labeller.label(model, self._steps[0].labels(), runner.rank, runner.world_size)
        shares = gather_object(share)

        def commit() -> int:
            photos = [labels for part, _ in shares for labels in part]
            rejected = sum((reasons for _, reasons in shares), type(share[1])())
            return self.store.commit(photos, runner.epoch, rejected)

        self.version = _on_rank_0(runner, commit)
        self._use_version()
        runner.logger.info(describe(self.store.entry(self.version)))

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Record the version."""
        sha256 = self.store.entry(self.version).sha256 if self.version else ""
        checkpoint[_KEY] = dict(version=self.version, sha256=sha256)

    def _go_back(self) -> list[int]:
        gone = self.store.roll_back(self.version)
        if self.version and self.store.entry(self.version).sha256 != self._saved.get("sha256"):
            raise PseudoLabelError(
                f"{self.store.folder}: its version {self.version} is not the one that the checkpoint was trained on; "
                "give the folder of that training as `folder` of the PseudoLabelHook"
            )
        return gone

    def _use_version(self) -> None:
        for step in self._steps:
            step.set_version(self.store.folder, self.version)

    def _average(self, runner: Runner) -> torch.nn.Module | None:
        """The teacher's model, None for the student itself.

        Raises:
            ValueError: An average is wanted and no hook keeps one.
        """
        if self.teacher == "student":
            return None
        for hook in runner.hooks:
            if isinstance(hook, EMAHook):
                return hook.ema_model.module
            if isinstance(hook, SelfDistillationHook):
                if hook.begin_epoch > self.begin_epoch:
                    raise ValueError(
                        f"PseudoLabelHook begins at epoch {self.begin_epoch}, before the teacher of the "
                        f"SelfDistillationHook exists (begin_epoch={hook.begin_epoch})"
                    )
                return None if hook.teacher is None else hook.teacher.model
        raise ValueError(
            "PseudoLabelHook: teacher='average' needs a hook that keeps an average of the weights: add "
            "dict(type='EMAHook', momentum=0.001) to custom_hooks, or set teacher='student'"
        )

    def _make_labeller(self, runner: Runner, datasets: list[CropDataset]) -> Any:
        from procrop.engine.label_photos import PhotoLabeller

        pipeline = self.pipeline
        if pipeline is None:
            loader = runner.cfg.get("val_dataloader") or {}
            pipeline = (loader.get("dataset") or {}).get("pipeline")
        if pipeline is None:
            raise ValueError(
                "PseudoLabelHook: the config has no val_dataloader.dataset.pipeline to predict with; give `pipeline`"
            )
        leaves = [d.in_test_mode(pipeline) for d in datasets]
        return PhotoLabeller(leaves, self.curation, **self.loading)


def describe(entry: LabelVersion) -> str:
    """A version in one line."""
    figures = {key: "-" if value is None else value for key, value in entry.figures.items()}
    left_out = ", ".join(f"{reason} {count}" for reason, count in entry.rejected.items())
    return (
        f"pseudo labels, version {entry.version}: {figures['labels']} on {figures['labelled']} of "
        f"{figures['photos']} photos, IoU with the known area {figures['iou_known']}, with each other "
        f"{figures['pairwise_iou']}; left out: {left_out or 'none'}"
    )


def _on_rank_0(runner: Runner, work: Any) -> Any:
    """Do something on rank 0 while the others wait; all get its result, or its error."""
    told: list[Any] = [None, None]
    if runner.rank == 0:
        try:
            told[0] = work()
        except Exception as error:  # whatever it is, the others must not wait for ever
            told[1] = error
    broadcast_object_list(told)
    if told[1] is not None:
        raise told[1]
    return told[0]


def _bare(model: torch.nn.Module) -> torch.nn.Module:
    return model.module if is_model_wrapper(model) else model

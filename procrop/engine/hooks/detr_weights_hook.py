"""Start a training from Conditional DETR weights."""

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from procrop.engine.checkpoint import load_checkpoint_file
from procrop.registry import HOOKS


@HOOKS.register_module()
class DETRWeightsHook(Hook):
    """Fill the model from a Conditional DETR checkpoint before training, and log what was and was not loaded.

    The public repository's files and mmdet's are understood (Jia et al. start from COCO weights; object classes are
    left out). A resumed training keeps its own weights.

    Args:
        checkpoint: ``.pth`` or ``.safetensors`` file.
        sha256: Expected hash of the file, checked before it is read.

    Raises:
        CheckpointError: The file is missing, damaged or unsafe.
        ValueError: Nothing of it fits the model.
    """

    def __init__(self, checkpoint: str, sha256: str | None = None) -> None:
        self.checkpoint, self.sha256 = checkpoint, sha256

    def before_train(self, runner: Runner) -> None:
        """Load, after the model has initialised itself; a training that goes on from an iteration is left alone."""
        if runner.iter > 0:
            return
        from procrop.models.utils import load_detr_weights

        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        report = load_detr_weights(model, load_checkpoint_file(self.checkpoint, self.sha256))
        runner.logger.info(f"{self.checkpoint}: {report}")

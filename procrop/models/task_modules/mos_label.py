"""Classification labels for matched queries, guided by the score of their crop."""

from torch import Tensor

from procrop.registry import TASK_UTILS


@TASK_UTILS.register_module()
class MOSLabel:
    """A matched query's label is the score of its crop, brought to [0, 1]: t = clamp((q - low) / (high - low), 0, 1).

    So a crop of lower score is learnt as a worse one, although it is a positive: a pseudo label stays below the known
    area. By default a score of 5 gives 1, as in all that this project calls a predicted score.

    Args:
        low (float): Score at and below which the label is 0.
        high (float): Score at and above which it is 1.
    """

    def __init__(self, low: float = 1.0, high: float = 5.0) -> None:
        if not high > low:
            raise ValueError(f"MOSLabel needs low < high, got {low}, {high}")
        self.low, self.high = low, high

    def __call__(self, scores: Tensor) -> Tensor:
        """Labels (n,) in [0, 1] of the scores (n,) of matched crops."""
        return ((scores - self.low) / (self.high - self.low)).clamp(0, 1)

"""The references of a batch as tensors."""

from collections.abc import Sequence

import torch
from mmengine.structures import InstanceData
from torch import Tensor


class ReferenceBatch:
    """References of B photos, padded to the largest number K of reference slots among them.

    Args:
        references (Sequence[InstanceData | None]): One entry a photo, None or empty where it has none.
        like (Tensor): Gives device and floating dtype of every tensor.

    Attributes:
        num_slots (int): K; 0 if no photo has a reference.
        scores (Tensor): Similarities, (B, K); 0 in padded slots.
        mask (Tensor): (B, K) bool, True = absent or padded.
    """

    def __init__(self, references: Sequence[InstanceData | None], like: Tensor) -> None:
        self._rows = [r if r is not None and len(r) else None for r in references]
        self._like = like
        self.num_slots = max((len(r) for r in self._rows if r is not None), default=0)
        self.mask = self.stack("mask", (), pad=True)
        self.scores = self.stack("scores", ())

    def stack(self, name: str, shape: tuple[int | None, ...], pad: float | bool = 0.0) -> Tensor:
        """One field of every reference.

        Args:
            name (str): Field of the references.
            shape (tuple): Shape of the field of one reference; None = padded to the batch's largest.
            pad: Value of padding; a bool makes the result boolean.

        Returns:
            Tensor: (B, K, *shape).

        Raises:
            ValueError: The field is missing, or has another shape than expected.
        """
        fields = [None if row is None else self._field(row, name, shape) for row in self._rows]
        present = [f.shape[1:] for f in fields if f is not None]
        widths = [s or max((p[i] for p in present), default=1) for i, s in enumerate(shape)]
        dtype = torch.bool if isinstance(pad, bool) else self._like.dtype
        out = torch.full((len(fields), self.num_slots, *widths), pad, dtype=dtype, device=self._like.device)
        for i, field in enumerate(fields):
            if field is not None:
                out[(i, *(slice(n) for n in field.shape))] = field.to(out)
        return out

    @staticmethod
    def _field(row: InstanceData, name: str, shape: tuple[int | None, ...]) -> Tensor:
        if name not in row:
            raise ValueError(
                f"references carry no {name!r}: set `what` of LoadReferences as in the ReferenceEncoder and, "
                "for annotations, use a gallery that was built with crops"
            )
        field = row[name]
        if len(shape) != field.ndim - 1 or any(
            s and s != f for s, f in zip(shape, field.shape[1:], strict=True)
        ):
            raise ValueError(
                f"references have {name} of shape {tuple(field.shape[1:])} each, the model expects {shape}: the "
                "gallery was made by another retrieval backbone or token grid than the config names"
            )
        return field

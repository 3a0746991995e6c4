"""SAM as retrieval encoder, on the segment-anything package: the paper's choice."""

from collections.abc import Mapping

from torch import Tensor, nn

from procrop.networks.sam import SAMArch, build_sam_encoder
from procrop.registry import RETRIEVAL_BACKBONES

from .sam_base import SAMBase


@RETRIEVAL_BACKBONES.register_module()
class SAMRetrieval(SAMBase):
    """SAM's image encoder as the segment-anything package runs it; see `SAMBase` for arguments and embeddings."""

    def build_network(self, arch: SAMArch) -> nn.Module:
        return build_sam_encoder(arch)

    def to_network_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(state)

    def to_official_names(self, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return dict(state)

    def feature_map(self, x: Tensor) -> Tensor:
        return self.network(x)

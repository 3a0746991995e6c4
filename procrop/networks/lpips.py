"""LPIPS' features: the maps of an ImageNet classifier between which LPIPS measures, and its learned weights."""

import importlib.util
import os

import torch
from torch import Tensor, nn

from .weights import load_strict, read_state

# torchvision's constructor, its checkpoint, and the places of LPIPS' maps among its features
NETS = {
    "alex": ("alexnet", "alexnet-owt-7be5be79.pth", (1, 4, 7, 9, 11)),
    "vgg": ("vgg16", "vgg16-397923af.pth", (3, 8, 15, 22, 29)),
    "squeeze": ("squeezenet1_1", "squeezenet1_1-b8a52dc0.pth", (1, 4, 7, 9, 10, 11, 12)),
}
# LPIPS takes RGB in [-1, 1] and scales it by these, close to ImageNet's statistics
_SHIFT, _SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
_EPS = 1e-10


class LPIPSFeatures(nn.Module):
    """Photos to vectors between which the squared Euclidean distance is LPIPS (Zhang et al. 2018, version 0.1).

    LPIPS sums, over the maps of a network, the mean over places of the weighted squared difference of features that
    are normalised over channels. The weights are not negative, so their square roots, and that of the mean's divisor,
    can be drawn into the features: what is summed is then one squared distance.

    A new one holds no values yet (its tensors are on torch's ``meta`` device): see `load_trunk` and `randomise`.

    Args:
        net: Key of ``NETS``.

    Raises:
        ValueError: An unknown net.
    """

    def __init__(self, net: str) -> None:
        super().__init__()
        if net not in NETS:
            raise ValueError(f"net must be one of {', '.join(NETS)}, not {net!r}")
        import torchvision

        builder, _, self.taps = NETS[net]
        self.net = net
        # the classifiers, most of these networks' numbers, are never filled
        with torch.device("meta"):
            network = getattr(torchvision.models, builder)(weights=None)
        self.features = network.features[: self.taps[-1] + 1]

    def maps(self, x: Tensor) -> list[Tensor]:
        """LPIPS-scaled RGB (b, 3, H, W) -> maps (b, C, H', W'), shallow to deep."""
        found = []
        for i, layer in enumerate(self.features):
            x = layer(x)
            if i in self.taps:
                found.append(x)
        return found

    def map_shapes(self, image_size: int) -> list[tuple[int, int, int]]:
        """(C, H', W') of each map for a square of ``image_size`` pixels; computed before values are loaded.

        Raises:
            ValueError: The square is too small for the network.
        """
        try:
            maps = self.maps(torch.empty(1, 3, image_size, image_size, device="meta"))
        except RuntimeError as error:
            raise ValueError(
                f"image_size {image_size} is too small for LPIPS' {self.net}: no pixels are left at its last map"
            ) from error
        return [tuple(found.shape[1:]) for found in maps]

    def randomise(self, seed: int) -> None:
        """Fill the network with random values."""
        self.to_empty(device="cpu")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            for module in self.modules():
                if isinstance(module, nn.Conv2d):
                    module.reset_parameters()

    def forward(self, images: Tensor, roots: list[Tensor]) -> Tensor:
        """Embed photos.

        Args:
            images: (b, 3, H, W) uint8 RGB.
            roots: Square roots of LPIPS' weights per map, (C,) float32 each.

        Returns:
            (b, d) float32.
        """
        shift, scale = (torch.tensor(v, device=images.device)[:, None, None] for v in (_SHIFT, _SCALE))
        x = (images.float() / 127.5 - 1 - shift) / scale
        parts = []
        for found, root in zip(self.maps(x.to(self.features[0].weight.dtype)), roots, strict=True):
            found = found.float()
            found = found / (found.norm(dim=1, keepdim=True) + _EPS)
            divisor = (found.shape[2] * found.shape[3]) ** 0.5
            parts.append((found * (root / divisor)[:, None, None]).flatten(1))
        return torch.cat(parts, dim=1)


def load_trunk(features: LPIPSFeatures, path: str | os.PathLike | None) -> None:
    """Load torchvision's ImageNet checkpoint; the classifier in it is passed over.

    Args:
        features: Network to fill.
        path: The file; None takes torchvision's own download, where it lies.

    Raises:
        FileNotFoundError: It is not there, with its address.
        ValueError: Not the weights of this net.
    """
    name = NETS[features.net][1]
    if path is None:
        path = os.path.join(torch.hub.get_dir(), "checkpoints", name)
        if not os.path.isfile(path):
            raise FileNotFoundError(
                f"{path}: the ImageNet weights of LPIPS' {features.net} are not there; put "
                f"https://download.pytorch.org/models/{name} there, or give its place as checkpoint"
            )
    state = {k: v for k, v in read_state(path).items() if not k.startswith("classifier.")}
    what, remedy = f"torchvision's {NETS[features.net][0]}", f"give torchvision's {name}"
    load_strict(features.to_empty(device="cpu"), state, path, what, remedy)


def read_linear(features: LPIPSFeatures, channels: list[int], path: str | os.PathLike | None) -> list[Tensor]:
    """LPIPS' learned weights per map, (C,) float32 each.

    Args:
        features: The network they belong to.
        channels: C of each map.
        path: File with ``linI.model.1.weight`` (1, C, 1, 1); None takes version 0.1 of the ``lpips`` package.

    Raises:
        ImportError: No path given and the package is missing.
        FileNotFoundError: No such file.
        ValueError: Not the weights of this net, or some are negative.
    """
    path = _packaged_linear(features.net) if path is None else path
    layers = nn.Module()
    for i, count in enumerate(channels):
        layers.register_parameter(f"lin{i}", nn.Parameter(torch.empty(1, count, 1, 1)))
    state = {k.removesuffix(".model.1.weight"): v for k, v in read_state(path).items()}
    load_strict(
        layers, state, path, f"LPIPS' linear layers for {features.net}", "give lpips' v0.1 file of this net"
    )
    weights = [p.detach().float().flatten() for p in layers.parameters()]
    if min(w.min() for w in weights) < 0:
        raise ValueError(
            f"{path}: some weights are negative, and LPIPS would be no distance; give lpips' v0.1 file"
        )
    return weights


def _packaged_linear(net: str) -> str:
    # found without importing the package, which loads much that is not needed here
    spec = importlib.util.find_spec("lpips")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("LPIPS' linear weights come with the package lpips: pip install lpips")
    return os.path.join(spec.submodule_search_locations[0], "weights", "v0.1", f"{net}.pth")

"""The projection of stored tokens to the model's width."""

from torch import nn

PROJECTIONS = ("linear", "mlp")


def token_projection(kind: str, in_channels: int, embed_dims: int) -> nn.Module:
    """A map from (..., in_channels) to (..., embed_dims): one linear layer, or two with a ReLU between them.

    Args:
        kind: "linear" or "mlp".
        in_channels: Width of the stored tokens.
        embed_dims: Width d of the model.

    Raises:
        ValueError: The kind is unknown.
    """
    if kind not in PROJECTIONS:
        raise ValueError(f"projection={kind!r} is none of {PROJECTIONS}")
    if kind == "linear":
        return nn.Linear(in_channels, embed_dims)
    return nn.Sequential(nn.Linear(in_channels, embed_dims), nn.ReLU(), nn.Linear(embed_dims, embed_dims))

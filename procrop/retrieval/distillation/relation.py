"""What a student is asked for: keys at their place, and the right neighbours around them."""

import torch
import torch.nn.functional as F
from torch import Tensor

_FAR = -1e9


def similarity(queries: Tensor, keys: Tensor, metric: str) -> Tensor:
    """Similarities (B, P), larger is nearer, of queries (B, d) and keys (P, d); as an index scores them."""
    if metric == "l2":
        # not cdist, whose gradient is lost where two keys coincide
        return 2 * queries @ keys.T - (queries**2).sum(1, keepdim=True) - (keys**2).sum(1)
    if metric == "cosine":
        queries, keys = F.normalize(queries, dim=1), F.normalize(keys, dim=1)
    return queries @ keys.T


def key_loss(student: Tensor, teacher: Tensor, metric: str, spread: float) -> Tensor:
    """Mean distance of keys (B, d): 1 - cosine, or the squared distance over that of any two teacher keys (spread)."""
    if metric == "cosine":
        return (1 - F.cosine_similarity(student, teacher, dim=1)).mean() / spread
    return ((student - teacher) ** 2).sum(dim=1).mean() / spread


def key_spread(keys: Tensor, metric: str) -> float:
    """What `key_loss` gives for two unrelated keys of (N, d), with a spread of one; the unit of that loss."""
    if metric == "cosine":
        keys = F.normalize(keys, dim=1)
        between = 1 - float((keys.sum(dim=0) ** 2).sum() - len(keys)) / (len(keys) * (len(keys) - 1))
    else:
        between = 2 * float(keys.var(dim=0).sum())
    return max(between, 1e-12)


def relational_loss(student: Tensor, teacher: Tensor, own: Tensor, temperature: float) -> Tensor:
    """KL divergence of neighbour distributions, mean over photos.

    A photo's distribution is the softmax of its similarities to the pool's *teacher* keys, which is what a search
    compares: the student's keys are only ever queries. So the loss asks for the right order among near photos, where
    a small error of a key would change it, and leaves alone what is far.

    Args:
        student: (B, P) similarities of the student's keys to the pool.
        teacher: (B, P) similarities of the teacher's keys to the pool.
        own: (B, P) bool, True for pool photos of the photo's own source; they are left out.
        temperature: Of both softmaxes.
    """
    wanted = F.log_softmax((teacher / temperature).masked_fill(own, _FAR), dim=1)
    found = F.log_softmax((student / temperature).masked_fill(own, _FAR), dim=1)
    return F.kl_div(found, wanted, reduction="batchmean", log_target=True)


def neighbour_temperature(teacher: Tensor, own: Tensor, neighbours: int) -> float:
    """Temperature at which the teacher's distribution has a perplexity of ``neighbours`` in the median photo.

    It makes the loss independent of how an encoder's similarities are spread.

    Args:
        teacher: (N, P) similarities.
        own: (N, P) bool, True for what is left out.
        neighbours: The perplexity; at most half of what is left is asked for.
    """
    free = int((~own).sum(dim=1).min())
    target = max(1.5, min(neighbours, free / 2))
    teacher = teacher.double().masked_fill(own, _FAR)
    span = float(
        (teacher.masked_fill(own, -torch.inf).amax(1) - teacher.masked_fill(own, torch.inf).amin(1)).max()
    )
    low, high = 1e-6 * max(span, 1e-9), 10 * max(span, 1e-9)
    for _ in range(50):
        middle = (low * high) ** 0.5
        logs = F.log_softmax(teacher / middle, dim=1)
        perplexity = float((-(logs.exp() * logs).sum(dim=1)).exp().median())
        low, high = (low, middle) if perplexity > target else (middle, high)
    return (low * high) ** 0.5

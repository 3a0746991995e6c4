"""The number in which the variants of an ablation differ, if it is one: the axis of their plot."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .ablation_plan import Variant

# parts of a config in which a variant may differ; further variables of a file say the same again
_PARTS = ("model", "train_dataloader", "optim_wrapper", "train_cfg", "custom_hooks")


def axis_of(variants: Sequence[Variant], name: str | None = None) -> tuple[str, list[float]] | None:
    """Find the number.

    Args:
        variants: The configs.
        name: The end of a dotted key, e.g. "references.k"; None looks for the one key whose number is another in
            every variant. Where what holds the key is switched off (None), the number is 0.

    Returns:
        The name, and the number of each variant; None without a name where there is no such key or several.

    Raises:
        ValueError: The key that is named is missing in a variant, is no number, or has several values in one.
    """
    if name is not None:
        return name, [_value(variant, name) for variant in variants]
    if len(variants) < 2:
        return None
    leaves = [dict(_numbers(variant.cfg)) for variant in variants]
    names = {".".join(path.split(".")[-2:]) for found in leaves for path in found}
    fitting = []
    for name in sorted(names):
        try:
            values = [_value(variant, name) for variant in variants]
        except ValueError:
            continue
        if len(set(values)) == len(values):
            fitting.append((name, values))
    return fitting[0] if len(fitting) == 1 else None


def _value(variant: Variant, name: str) -> float:
    """The number at the end of a key, which must be one wherever the key is."""
    found = set()
    for path, value in _leaves({part: variant.cfg.get(part) for part in _PARTS}, ""):
        if f".{path}".endswith(f".{name}"):
            found.add(value if isinstance(value, int | float) and not isinstance(value, bool) else None)
        elif value is None and f".{path}".endswith(f".{name.rpartition('.')[0]}"):
            found.add(0)
    if len(found) != 1 or None in found:
        what = (
            "no number"
            if not found or None in found
            else f"several numbers ({', '.join(map(str, sorted(found)))})"
        )
        raise ValueError(f"{variant.path}: {what} at {name}; name another key with --x")
    return found.pop()


def _numbers(cfg: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    for path, value in _leaves({part: cfg.get(part) for part in _PARTS}, ""):
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield path, value


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:  # noqa: ANN401 (any config value)
    """Dotted keys and values of what is no dict and no list."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list | tuple):
        for i, value in enumerate(node):
            yield from _leaves(value, f"{path}.{i}")
    else:
        yield path, node

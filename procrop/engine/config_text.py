"""The config inside a checkpoint, read as data.

mmengine would execute its text as Python, and a checkpoint must never run code.
"""

import ast
from collections.abc import Mapping
from typing import Any

from mmengine.config import Config

from procrop.engine.checkpoint import CheckpointError


def checkpoint_config(checkpoint: Mapping[str, Any], name: str = "the checkpoint") -> Config:
    """The merged config a checkpoint was trained with.

    Args:
        checkpoint: What :func:`~procrop.engine.checkpoint.load_checkpoint_file` returned.
        name: What messages call the checkpoint.

    Raises:
        CheckpointError: It holds none, or its text is more than plain settings.
    """
    meta = checkpoint.get("meta")
    meta = meta if isinstance(meta, Mapping) else {}
    own = meta.get("procrop")
    text = (own.get("config") if isinstance(own, Mapping) else None) or meta.get("cfg")
    if not isinstance(text, str):
        raise CheckpointError(
            f"{name}: holds no config (not trained with this project): name the config file too"
        )
    try:
        return Config(parse_config_text(text))
    except ValueError as error:
        raise CheckpointError(f"{name}: its config cannot be read as plain settings ({error})") from error


def parse_config_text(text: str) -> dict[str, Any]:
    """Read ``name = value`` lines where values are literals, ``dict(...)`` and ``float("inf")``-like constants.

    Args:
        text: A config as ``Config.pretty_text`` writes it.

    Returns:
        The settings by name.

    Raises:
        ValueError: Anything else is in the text; the message names the line.
    """
    try:
        statements = ast.parse(text).body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ValueError(f"not a config: {error}") from None
    settings = {}
    for node in statements:
        if not (
            isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name)
        ):
            raise ValueError(f"line {node.lineno}: only `name = value` is allowed")
        settings[node.targets[0].id] = _value(node.value)
    return settings


def _value(node: ast.expr) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.List(elts=items):
            return [_value(item) for item in items]
        case ast.Tuple(elts=items):
            return tuple(_value(item) for item in items)
        case ast.Set(elts=items):
            return {_value(item) for item in items}
        case ast.Dict(keys=keys, values=values) if None not in keys:
            return {_value(key): _value(value) for key, value in zip(keys, values, strict=True)}
        case ast.UnaryOp(op=ast.USub(), operand=operand) if isinstance(operand, ast.Constant | ast.Name):
            return -_value(operand)
        case ast.Name(id="inf" | "nan" as name):  # how Python prints these floats
            return float(name)
        case ast.Call(func=ast.Name(id="dict"), args=[], keywords=pairs) if all(pair.arg for pair in pairs):
            return {pair.arg: _value(pair.value) for pair in pairs}
        case ast.Call(func=ast.Name(id="set"), args=[], keywords=[]):
            return set()
        case ast.Call(func=ast.Name(id="float"), args=[ast.Constant(value=str() as value)], keywords=[]):
            return float(value)
    raise ValueError(f"line {node.lineno}: `{ast.unparse(node)[:60]}` is not a plain value")

"""Text encoders as they are named on a command line."""

import os


def read_text_config(path: str | os.PathLike) -> dict:
    """The ``text`` of a config file, as plain values; every key of it is checked.

    Raises:
        ValueError: There is no such file, it holds no ``text``, or a key or type in it does not exist.
    """
    from procrop.engine import launch

    cfg = launch.read_config(os.fspath(path), None)
    launch.finish_config(cfg, [])
    text = cfg.to_dict().get("text")
    if not isinstance(text, dict) or "encoder" not in text:
        raise ValueError(f"{path}: holds no `text = dict(encoder=dict(type=...))`")
    return text

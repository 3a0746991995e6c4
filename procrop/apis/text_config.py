"""Text encoders as they are named on a command line."""

import os


def read_text_config(path: str | os.PathLike) -> dict:
    """The ``text_encoder`` of a config file, as plain values; every key of the file is checked.

    Raises:
        ValueError: There is no such file, it holds no ``text_encoder``, or a key or type in it does not exist.
    """
    from procrop.apis.config_datasets import read_config

    encoder = read_config(os.fspath(path), []).get("text_encoder")
    if not encoder:
        raise ValueError(f"{path}: holds no `text_encoder = dict(type=...)`; see configs/_base_/text")
    return encoder

"""Configs that the check of keys has to refuse."""

import pytest

from procrop.engine.config_validation import ConfigError, validate_config


def refused(cfg, *words):
    """The check fails, and its message holds each of the words."""
    with pytest.raises(ConfigError) as error:
        validate_config(cfg)
    for word in words:
        assert word in str(error.value), str(error.value)

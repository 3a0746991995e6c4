"""Checks of a config before anything is built: misspelt keys and types are errors with a proposal.

``validate_config`` checks every component dict of a config against the signature of what it names;
``merge_cfg_options`` applies command-line overrides without letting a misspelt one in.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["ConfigError"],
        "options": ["merge_cfg_options"],
        "validate": ["validate_config"],
    },
)

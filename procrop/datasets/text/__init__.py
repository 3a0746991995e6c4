"""Captions and text tokens of a dataset's photos, in a folder of their own. Nothing here imports torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "builder": ["TextBuild", "build_share", "build_text"],
        "captions": ["Caption", "read_captions", "read_given_captions"],
        "text_format": ["TextPhoto", "TextTableError"],
        "text_table": ["TextEntry", "TextTable"],
        "verify": ["verify_text"],
    },
)

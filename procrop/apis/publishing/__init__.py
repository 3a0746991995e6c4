"""From a training's checkpoint and its gallery to the folder that a model is published as; see :mod:`.publish`."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "metafile_entry": ["EntryWords", "with_entry"],
        "publish": ["GALLERY", "Published", "publish_model"],
    },
)

"""Trained models by name: what is published, where it is, and how it comes to this machine. No torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "errors": ["DownloadError", "MetafileError", "ModelZooError"],
        "metafile": ["ModelZoo", "read_zoo"],
        "model_entry": ["GalleryFile", "ModelEntry", "PublishedFile", "Recipe", "Result"],
        "resolve": ["resolve_checkpoint", "resolve_gallery", "resolve_model"],
    },
)

"""Plain torch networks that more than one room uses: no registry, no config."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "efficientnet_lite": ["EfficientNetLite", "normalise"],
        "sam": ["SAMArch", "build_sam_encoder", "normalise_sam", "sam_arch"],
    },
)

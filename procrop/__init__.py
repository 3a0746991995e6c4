"""ProCrop: retrieval-augmented aesthetic image cropping on MMEngine.

Importing this package is cheap: nothing heavier than the standard library is loaded until a name is used.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "inference": ["CropInferencer", "crop"],
        "registry": ["DATASETS", "INDEXES", "METRICS", "MODELS", "RETRIEVAL_BACKBONES", "TRANSFORMS"],
    },
)
__all__ += ["__version__"]

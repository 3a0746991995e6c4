"""From what a model predicts to the crops that were asked for: shape, least area, subject, diversity, focal point."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "aspect_ratio": ["AspectRatio"],
        "exact_sizes": ["ExactSizes", "ImpossibleCropError"],
        "request_check": ["check_request", "wanted_ratio"],
        "select_crops": ["SelectedCrops", "select_crops"],
        "subject": ["find_subject"],
    },
)

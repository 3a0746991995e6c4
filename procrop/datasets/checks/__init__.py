"""What can be wrong with a dataset beyond what its reader sees: its photos, its crops in them, and leakage."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "leakage": ["Leak", "PhotoList", "find_leaks", "find_twins"],
        "near_duplicates": ["matching_pairs"],
        "photo_checks": ["PhotoScan", "scan_photos"],
        "set_checks": ["check_crops"],
        "thumbnails": ["ThumbnailCache", "thumbnail"],
    },
)

"""Crops cut out of photo files, with what the files hold: profile, EXIF, depth, quality. No torch here."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "file_formats": ["CROP_FORMATS", "suffix_of"],
        "jpeg_cut": ["snap_to_blocks"],
        "source_file": ["SourceFile", "read_source"],
        "write_crop": ["WrittenCrop", "write_crop", "write_cut"],
    },
)

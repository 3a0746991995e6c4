"""Photos in, files out: nothing here imports torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "atomic": ["atomic_write", "write_bytes", "write_json", "write_many", "write_text"],
        "manifest": ["read_manifest", "sha256_file", "sha256_json", "verify_manifest", "write_manifest"],
        "photo": ["PHOTO_SUFFIXES", "PhotoError", "list_photos", "read_photo", "upright_rgb"],
        "progress": ["byte_progress", "progress"],
    },
)

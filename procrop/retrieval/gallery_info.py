"""What a gallery is, for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .gallery import Gallery


def describe_gallery(gallery: "Gallery") -> dict:
    """What the gallery is, as plain values; see `Gallery.info`."""
    extra = gallery.manifest["extra"]
    maker_of_tokens = gallery.retrieval_cfg.get("token_backbone", gallery.retrieval_cfg["backbone"])
    return {
        "folder": str(gallery.folder),
        "photos": len(gallery),
        "rejected": extra["rejected"],
        "photo folder": str(gallery.photo_root),
        "encoder": gallery.retrieval_cfg["backbone"]["type"],
        "token encoder": maker_of_tokens["type"] if gallery.token_shape else None,
        "key transform": gallery.retrieval_cfg["key_transform"],
        "fitted on": extra["fitted_on"],
        "index": gallery.retrieval_cfg["index"] or "FaissIndex Flat",
        "metric": gallery.metric,
        "tokens": gallery.token_shape,
        "annotated": sum(bool(r.crops) for r in gallery.records),
        "bytes": sum(entry["bytes"] for entry in gallery.manifest["files"].values()),
        "fingerprint": gallery.fingerprint,
        "content": gallery.content_sha256,
    }

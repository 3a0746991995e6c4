"""Crop photos with a trained checkpoint: embed a photo once, then answer what is asked of it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "attention": ["AttentionUndefinedError", "record_attention", "why_no_attention"],
        "crop_inferencer": ["CropInferencer"],
        "crop_request": ["CropRequest", "ReferenceChoice"],
        "crop_result": ["CropResult", "Reference"],
        "live_references": ["GalleryMismatchError", "LiveReferences"],
        "one_call": ["CHECKPOINT_VARIABLE", "crop", "find_model"],
        "reference_attention": ["ReferenceAttention"],
        "live_text": ["LiveText", "PhotoText", "TextMismatchError"],
        "photo_embedding": ["PhotoEmbedding", "PhotoRejected"],
    },
)

"""The page: photos are dropped, crops shown, files handed back. Only ``page`` and ``server`` know gradio."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "demo_limits": ["DemoLimits"],
        "demo_session": ["DemoOptions", "DemoSession", "SessionEndedError"],
        "embedding_cache": ["EmbeddingCache"],
        "panel": ["draw_panel"],
        "session_store": ["SessionStore"],
        "shared_cropper": ["SharedCropper"],
    },
)

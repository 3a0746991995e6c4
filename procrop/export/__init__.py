"""Croppers without PyTorch: export to ONNX, and cropping with onnxruntime."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "export_folder": ["ExportError", "ExportFolder"],
        "exporter": ["export_cropper"],
        "onnx_cropper": ["OnnxCropper"],
        "preprocessing": ["Preprocessing"],
    },
)

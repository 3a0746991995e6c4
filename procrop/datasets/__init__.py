"""Datasets of annotated crops, one module per file format. Names are imported when first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["AnnotationError", "CropDataset", "DatasetNotFoundError"],
        "flms": ["FLMSDataset"],
        "hcic": ["HCICDataset"],
        "icdb": ["ICDBDataset"],
        "gaic": ["GAICDataset", "parse_gaic_annotation"],
        "positives": ["select_positives"],
        "problems": ["Problems"],
        "record_dataset": ["RecordDataset"],
        "records": ["CropRecord", "CropSet"],
        "ugcrop5k": ["UGCrop5KDataset"],
    },
)

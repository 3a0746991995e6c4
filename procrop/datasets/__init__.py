"""Datasets of annotated crops, one module per file format. Names are imported when first used."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "base": ["AnnotationError", "CropDataset", "DatasetNotFoundError"],
        "cad": ["CADDataset"],
        "cad_authors": ["CADAuthorsDataset"],
        "coco": ["CropCOCODataset"],
        "cpc": ["CPCDataset"],
        "fcdb": ["FCDBDataset"],
        "flms": ["FLMSDataset"],
        "formats.gaic": ["parse_gaic_annotation"],
        "gaic": ["GAICDataset"],
        "hcic": ["HCICDataset"],
        "icdb": ["ICDBDataset"],
        "jsonl": ["CropJsonlDataset"],
        "positives": ["select_positives"],
        "problems": ["Problems"],
        "record_dataset": ["RecordDataset"],
        "records": ["CropRecord", "CropSet"],
        "sacd": ["SACDDataset"],
        "ugcrop5k": ["UGCrop5KDataset"],
    },
)

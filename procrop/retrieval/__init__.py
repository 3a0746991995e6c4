"""Retrieval: encoders, indexes, galleries of reference photos and neighbour tables."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        # the encoders themselves are in procrop.retrieval.backbones
        "backbones": ["Embeddings", "RetrievalBackbone", "TorchRetrieval"],
        "distillation": ["DistillSettings", "distill_keys"],
        "distilled_key_file": ["DistilledKeyFileError", "KeySpace"],
        "feature_store": ["FeatureStore", "FeatureStoreError"],
        "gallery": ["Gallery"],
        "gallery_builder": ["build_gallery", "build_share"],
        "gallery_parts": ["build_part", "merge_parts"],
        "gallery_format": ["GalleryError", "GalleryItem"],
        "gallery_plan": ["items_from_folder"],
        "indexes": ["ElasticsearchIndex", "FaissIndex", "IndexServerError", "MilvusIndex", "VectorIndex"],
        "key_transforms": ["PCA", "Compose", "KeyTransform", "MeanPool", "NoTransform", "Normalise"],
        "neighbour_table": ["NeighbourTable", "NeighbourTableError", "Query"],
    },
)

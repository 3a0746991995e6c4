"""Formulas of the evaluation protocols, in numpy and for one photo at a time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "composition": [
            "orientation_agreement",
            "orientation_histogram",
            "position_agreement",
            "saliency_centroid",
        ],
        "floors": [
            "centre_crop",
            "full_photo",
            "random_best_crop_recall",
            "random_grid_accuracy",
            "random_iou_disp",
            "random_topn_accuracy",
            "random_weighted_grid_accuracy",
        ],
        "grid_accuracy": ["grid_accuracy", "pcc", "srcc", "weighted_grid_accuracy"],
        "iou_disp": ["best_of_n", "iou_disp", "iou_disp_per_prediction"],
        "neighbour_overlap": ["neighbour_overlap"],
        "ranking": ["rank_order", "top_crops", "valid_crops"],
        "topn_accuracy": ["best_crop_recall", "topn_accuracy"],
    },
)

"""The protocols: each scores many photos at once. Nothing here imports torch."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "average_precision": ["AveragePrecision"],
        "base": ["Protocol"],
        "best_crop_recall": ["JIA_EPS", "BestCropRecall"],
        "grid_accuracy": ["GridRanking"],
        "iou_disp": ["IoUDisp"],
        "iou_max_mean": ["IoUMaxMean"],
        "topn_accuracy": ["TopNAccuracy"],
    },
)

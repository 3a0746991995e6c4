"""Metrics of a test run; importing this package registers them."""

from procrop.evaluation.metrics.crop_average_precision import CropAveragePrecision
from procrop.evaluation.metrics.crop_iou_disp import CropIoUDisp
from procrop.evaluation.metrics.crop_topn_accuracy import CropTopNAccuracy
from procrop.evaluation.metrics.grid_accuracy_metric import GridAccuracy

__all__ = ["CropAveragePrecision", "CropIoUDisp", "CropTopNAccuracy", "GridAccuracy"]

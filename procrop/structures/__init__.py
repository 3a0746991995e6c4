"""What flows between the parts: boxes, grid anchors, token sets and the sample of one photo."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "boxes": [
            "aspect_ratio",
            "boundary_displacement",
            "box_area",
            "box_giou",
            "box_iou",
            "clip_boxes",
            "cxcywh_to_xyxy",
            "denormalise_boxes",
            "kept_share",
            "normalise_boxes",
            "xywh_to_xyxy",
            "xyxy_to_cxcywh",
            "xyxy_to_xywh",
            "xyxy_to_yxyx",
            "yxyx_to_xyxy",
        ],
        "crop_data_sample": ["CropDataSample"],
        "grid_anchors": ["gaic_grid_anchors", "gaic_grid_rows"],
        "token_set": ["TokenSet"],
    },
)

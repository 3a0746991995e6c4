"""Pictures for people: crops drawn over a photo, and sheets of photos, crops and references."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "comparison_sheet": ["ComparisonRow", "ComparisonSheet", "ShownNeighbour"],
        "contact_sheet": ["ContactSheet", "SheetRow"],
        "crop_overlay": ["cut_crop", "draw_crops", "rank_colour"],
        "fonts": ["fit_text", "load_font", "wrap_text"],
        "model_sheet": ["ModelCrops", "ModelRow", "ModelSheet"],
    },
)

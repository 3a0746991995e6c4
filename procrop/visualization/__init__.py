"""Pictures for people: crops drawn over a photo, and sheets of photos, crops and references."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "before_after": ["draw_before_after"],
        "comparison_sheet": ["ComparisonRow", "ComparisonSheet", "ShownNeighbour"],
        "contact_sheet": ["ContactSheet", "SheetRow"],
        "crop_overlay": ["cut_crop", "draw_crops", "draw_overlay", "rank_colour"],
        "explanation_page": ["write_explanation_page"],
        "explanation_picture": ["draw_explanation"],
        "fonts": ["fit_text", "load_font", "wrap_text"],
        "model_sheet": ["ModelCrops", "ModelRow", "ModelSheet"],
        "thumbnails": ["read_thumbnail"],
    },
)

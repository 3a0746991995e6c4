"""From a result to its line in the record, and back."""

from typing import TYPE_CHECKING

from procrop.apis.cropping.record import Line

if TYPE_CHECKING:
    import numpy as np

    from procrop.inference.crop_result import CropResult


def result_of(line: Line, image: "np.ndarray | None") -> "CropResult":
    """A line as the result that it was made of, up to the rounding.

    All pictures are drawn of this one, so that what is drawn again in a later run looks the same.

    Args:
        line: of the record.
        image: (H, W, 3) uint8 RGB, the upright photo; None for a rejected one.
    """
    import numpy as np

    from procrop.inference.crop_result import CropResult, Reference
    from procrop.inference.reference_attention import ReferenceAttention

    if "rejected" in line:
        return CropResult(line["path"], rejected=line["rejected"])
    size, attention = tuple(line["size"]), line.get("attention")
    return CropResult(
        line["path"],
        size,
        np.array([crop["box"] for crop in line["crops"]], dtype=np.float64),
        np.array([crop["score"] for crop in line["crops"]]),
        [Reference(**reference) for reference in line["references"]],
        caption=line["caption"],
        caption_source=line["caption_source"],
        image=image,
        focal_points=np.array([crop["focal_point"] for crop in line["crops"]]) * size / 100,
        attention=None if attention is None else ReferenceAttention(**_arrays(attention)),
        notes=tuple(line["notes"]),
    )


_SHARES = ("references", "photo", "text", "null")


def attention_line(result: "CropResult") -> Line | None:
    """The attention of a result in plain values; null for a crop where it is not defined."""
    import numpy as np

    if result.attention is None:
        return None
    shares = {}
    for name in _SHARES:
        rounded = np.round(getattr(result.attention, name).astype(np.float64), 6)
        shares[name] = np.where(np.isnan(rounded), None, rounded).tolist()
    return {"ids": result.attention.ids.tolist(), **shares}


def _arrays(attention: Line) -> dict[str, "np.ndarray"]:
    import numpy as np

    count = len(attention["ids"])
    arrays = {name: np.array(attention[name], dtype=np.float64) for name in _SHARES}
    arrays["references"] = arrays["references"].reshape(-1, count)
    return {"ids": np.array(attention["ids"], dtype=np.int64), **arrays}

"""The sizes of photos that are not there, as far as their annotated crops tell: for fitting a constant crop."""

from pathlib import PurePosixPath

import numpy as np

from procrop.datasets.records import CropRecord, CropSet

Size = tuple[int, int]

# the outermost edges on the grid of GAICD lie half a bin of twelve inside the photo
_OUTERMOST = 23 / 24
#: long sides in pixels that Flickr's suffixes of a file's name stand for
FLICKR_SIDES = {"b": 1024, "c": 800}
#: shapes of photos, long side / short side, in the order in which they are supposed
_SHAPES = (3 / 2, 4 / 3, 1.0)
_ROOM = 1  # pixels by which a crop may reach beyond a supposed photo: sides are rounded


def sizes_by_annotation(crops: CropSet) -> dict[str, Size]:
    """What is to be known, or to be supposed, of the sizes of photos that are not on the disk.

    - GAICD (formats "gaic..."): known up to a pixel. Crops run between the middles of the twelfths of both sides, and
      in all but one of the 1,236 photos of its first version some reach the outermost ones.
    - FCDB: supposed. The name of a file says the long side (1024 for "_b", 800 for "_c"). The photo is taken to be 3:2,
      or 4:3, or square, whichever comes first that holds the crop; lying or standing as the crop, if both hold it.
      Photos of another suffix are left out. FCDB gives no sizes, and many of its photos are gone.

    Args:
        crops: Records of a dataset.

    Returns:
        (width, height) by img_id, of the records of which something can be said; empty for other formats.
    """
    find = _grid_size if crops.name.startswith("gaic") else _flickr_size if crops.name == "fcdb" else None
    if find is None:
        return {}
    found = {record.img_id: find(record) for record in crops.records if len(record.boxes)}
    return {img_id: size for img_id, size in found.items() if size is not None}


def _grid_size(record: CropRecord) -> Size:
    width, height = np.rint(record.boxes[:, 2:].max(axis=0) / _OUTERMOST).astype(int).tolist()
    return width, height


def _flickr_size(record: CropRecord) -> Size | None:
    long = FLICKR_SIDES.get(PurePosixPath(record.photo).stem.rpartition("_")[2])
    if long is None:
        return None
    right, below = record.boxes[:, 2:].max(axis=0)
    sides = (record.boxes[:, 2:] - record.boxes[:, :2])[0]
    for shape in _SHAPES:
        short = round(long / shape)
        ways = [(long, short), (short, long)]
        for width, height in ways if sides[0] >= sides[1] else reversed(ways):
            if right <= width + _ROOM and below <= height + _ROOM:
                return width, height
    return None

"""UGCrop5K: 5,000 photos by users with up to 90 scored crops each (Su et al. 2024)."""

from pathlib import Path

from ..errors import DatasetNotFoundError
from .base import CropFormat
from .gaic import GAICFormat
from .gaic_folder import GAICFolder


class UGCrop5KFormat(GAICFormat):
    """GAICD's layout: ``images/{train,val,test}/<id>.jpg``, and ``annotations/`` with a text file a photo.

    The files of UGCrop5K have not been published: the page suyukun666/S2CNet of its authors links GAICD alone, and
    requests for the dataset are open there. What is known is the authors' reader of GAICD, which they published: it
    takes ``annotations/<id>.txt`` with lines ``y1 x1 y2 x2 MOS`` in pixels, passes over MOS -2, and finds the photos in
    a folder for each split. So what is read and written is GAICD's layout, as version 2 has it. The names of its
    splits, and how many photos each has, are unknown.
    """

    name = "ugcrop5k"
    title = "UGCrop5K"
    version = "v2"
    source = (
        "It is described in Su et al., 'Spatial-Semantic Collaborative Cropping for User Generated Content' (AAAI "
        "2024), and not published yet; files in GAICD's layout are read."
    )

    def folder(self, root: Path, split: str) -> GAICFolder:
        return _Folder(root, split, self.version, self.need_photos, self.split_file)


class _Folder(GAICFolder):
    """A split in GAICD's layout that does not send people to GAICD's download."""

    def not_found(self, reason: str) -> DatasetNotFoundError:
        return CropFormat.not_found(UGCrop5KFormat(), self.root, f"split {self.split!r}: {reason}")

"""TIFF files, compressed as their source."""

import io

import numpy as np

from procrop.photofile.metadata import Metadata
from procrop.photofile.raster import Raster
from procrop.photofile.tiff_directory import tiff_with_tags
from procrop.photofile.tiff_metadata import tags_of

NONE, LZW, JPEG, DEFLATE, OLD_DEFLATE, PACKBITS = 1, 5, 7, 8, 32946, 32773
_PILLOW = {
    NONE: None,
    2: "tiff_ccitt",
    3: "group3",
    4: "group4",
    LZW: "tiff_lzw",
    DEFLATE: "tiff_adobe_deflate",
    OLD_DEFLATE: "tiff_deflate",
    PACKBITS: "packbits",
}
_BLACK_AND_WHITE = (2, 3, 4)
_PREDICTED = (LZW, DEFLATE, OLD_DEFLATE)
_PREDICTOR = 317


def encode_tiff(
    raster: Raster, metadata: Metadata, compression: int = DEFLATE, predictor: int = 1
) -> tuple[bytes, list[str]]:
    """Encode a raster; the file, and the names of what does not fit into it.

    Args:
        raster: of any kind.
        metadata: what goes along.
        compression: the number of the source's scheme. Schemes that lose something, or that the installed libraries
            cannot write, become deflate, which is named.
        predictor: the source's.
    """
    tags, lost = tags_of(metadata)
    known = compression in _PILLOW and (compression not in _BLACK_AND_WHITE or raster.space == "1")
    if not known:
        lost.append(f"TIFF compression {compression} (deflate instead)")
        compression = DEFLATE
    if raster.deep and raster.space != "L":
        tiff, kept = _encode_deep(raster, compression, predictor)
        if not kept:
            lost.append(f"TIFF compression {compression} (deflate instead)")
    else:
        tiff = _encode(raster, compression, predictor)
    return tiff_with_tags(tiff, tags), lost


def _encode(raster: Raster, compression: int, predictor: int) -> bytes:
    file = io.BytesIO()
    info = (
        {_PREDICTOR: predictor} if predictor > 1 and compression in _PREDICTED and raster.space != "1" else {}
    )
    raster.to_image().save(file, "TIFF", compression=_PILLOW[compression], tiffinfo=info)
    return file.getvalue()


def _encode_deep(raster: Raster, compression: int, predictor: int) -> tuple[bytes, bool]:
    """16-bit colours; whether the compression was kept. Without imagecodecs tifffile writes no LZW, OpenCV does."""
    if compression == LZW and raster.space == "RGB":
        import cv2

        options = [cv2.IMWRITE_TIFF_COMPRESSION, LZW, cv2.IMWRITE_TIFF_PREDICTOR, predictor]
        done, tiff = cv2.imencode(".tiff", np.ascontiguousarray(raster.values[..., ::-1]), options)
        if done:
            return tiff.tobytes(), True
    import tifffile

    name = None if compression == NONE else "adobe_deflate"
    file = io.BytesIO()
    tifffile.imwrite(
        file,
        raster.values,
        byteorder="<",
        photometric={"LA": "minisblack", "CMYK": "separated"}.get(raster.space, "rgb"),
        extrasamples=["unassalpha"] if raster.space in ("LA", "RGBA") else None,
        planarconfig="contig",
        compression=name,
        predictor=2 if predictor == 2 and name else None,
        metadata=None,
        software=False,
    )
    return file.getvalue(), compression in (NONE, DEFLATE, OLD_DEFLATE)

"""Steps from a dataset's record to the model's input; importing this package registers them.

The order in a pipeline is LoadReferences, LoadTextTokens, LoadPhoto, [LoadPseudoLabels], LoadCropAnnotations,
[RandomInitialCrop], [SampleCrops], [DecoySeams], [PhotometricDistortion], [SameEncoding], Resize or RandomChoiceResize,
[RandomFlip], [DrawLesserCrops], PackCropInputs.

In scope ``procrop`` the names ``Resize``, ``RandomFlip`` (children of mmcv's) and ``RandomChoiceResize`` (mmcv's) mean
classes that take boxes as plain arrays. They are registered here because an unregistered name would be looked up in
mmdet, whose ``Resize`` wants its own box type, if and only if something had already imported mmdet's transforms. Give
``scale`` and ``scales`` as (long side, short side) pairs with ``keep_ratio=True``::

    dict(type="Resize", scale=(1333, 600), keep_ratio=True)
    dict(type="RandomChoiceResize", scales=[(1333, s) for s in range(480, 801, 32)], keep_ratio=True)
"""

from mmcv.transforms import RandomChoiceResize

from procrop.registry import TRANSFORMS

from .decoy_seams import DecoySeams
from .draw_lesser_crops import DrawLesserCrops
from .load_crop_annotations import LoadCropAnnotations
from .load_photo import LoadPhoto
from .load_pseudo_labels import LoadPseudoLabels
from .load_references import LoadReferences
from .load_text_tokens import LoadTextTokens
from .pack import PackCropInputs
from .photometric_distortion import PhotometricDistortion
from .random_flip import RandomFlip
from .random_initial_crop import RandomInitialCrop
from .resize import Resize
from .same_encoding import SameEncoding
from .sample_crops import SampleCrops

TRANSFORMS.register_module(module=RandomChoiceResize)

__all__ = [
    "DecoySeams",
    "DrawLesserCrops",
    "LoadCropAnnotations",
    "LoadPhoto",
    "LoadPseudoLabels",
    "LoadReferences",
    "LoadTextTokens",
    "PackCropInputs",
    "PhotometricDistortion",
    "RandomChoiceResize",
    "RandomFlip",
    "RandomInitialCrop",
    "Resize",
    "SameEncoding",
    "SampleCrops",
]

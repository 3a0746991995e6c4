"""The registries of ProCrop: one line each, children of mmdet's where mmdet has one.

A component is registered with ``@MODELS.register_module()`` and named in a config by ``dict(type="ClassName", ...)``.
``locations`` lists the packages that are imported when a registry is first asked for a name, and not before.
"""

from mmdet import registry as mmdet_registry
from mmengine.registry import Registry

_SCOPE = "procrop"

# croppers, image backbones, fusion necks, crop heads and losses
MODELS = Registry("model", parent=mmdet_registry.MODELS, scope=_SCOPE, locations=["procrop.models"])
# assigners, match costs, label makers
TASK_UTILS = Registry(
    "task util", parent=mmdet_registry.TASK_UTILS, scope=_SCOPE, locations=["procrop.models"]
)
# one class per dataset file format
DATASETS = Registry(
    "dataset",
    parent=mmdet_registry.DATASETS,
    scope=_SCOPE,
    locations=[
        "procrop.datasets.cad",
        "procrop.datasets.cad_authors",
        "procrop.datasets.coco",
        "procrop.datasets.cpc",
        "procrop.datasets.fcdb",
        "procrop.datasets.flms",
        "procrop.datasets.gaic",
        "procrop.datasets.hcic",
        "procrop.datasets.icdb",
        "procrop.datasets.jsonl",
        "procrop.datasets.sacd",
        "procrop.datasets.ugcrop5k",
    ],
)
# steps from a dataset's record to the model's input
TRANSFORMS = Registry(
    "transform", parent=mmdet_registry.TRANSFORMS, scope=_SCOPE, locations=["procrop.datasets.transforms"]
)
# evaluation protocols
METRICS = Registry(
    "metric", parent=mmdet_registry.METRICS, scope=_SCOPE, locations=["procrop.evaluation.metrics"]
)
# what happens around a training run: epochs made reproducible, checkpoints made self-contained
HOOKS = Registry("hook", parent=mmdet_registry.HOOKS, scope=_SCOPE, locations=["procrop.engine.hooks"])
# drawing of crops during training and testing
VISUALIZERS = Registry(
    "visualizer", parent=mmdet_registry.VISUALIZERS, scope=_SCOPE, locations=["procrop.visualization"]
)
# encoders of photos into retrieval keys and tokens
RETRIEVAL_BACKBONES = Registry("retrieval backbone", scope=_SCOPE, locations=["procrop.retrieval.backbones"])
# what is done to a key before it is indexed
KEY_TRANSFORMS = Registry("key transform", scope=_SCOPE, locations=["procrop.retrieval.key_transforms"])
# nearest-neighbour search over keys
INDEXES = Registry("vector index", scope=_SCOPE, locations=["procrop.retrieval.indexes"])
# writers of captions, and encoders of photos and captions into text tokens
TEXT_ENCODERS = Registry("text encoder", scope=_SCOPE, locations=["procrop.models.text"])
# steps from a professional photo to a weakly annotated one
GENERATION_STEPS = Registry("generation step", scope=_SCOPE, locations=["procrop.generation.steps"])
# finders of a photo's subject, and of what looks like it, on an outpainted canvas
SUBJECT_DETECTORS = Registry("subject detector", scope=_SCOPE, locations=["procrop.generation.detectors"])
# lists of photos that galleries are built of
GALLERY_SOURCES = Registry("gallery source", scope=_SCOPE, locations=["procrop.retrieval.sources"])

__all__ = [
    "DATASETS",
    "GALLERY_SOURCES",
    "GENERATION_STEPS",
    "HOOKS",
    "INDEXES",
    "KEY_TRANSFORMS",
    "METRICS",
    "MODELS",
    "RETRIEVAL_BACKBONES",
    "SUBJECT_DETECTORS",
    "TASK_UTILS",
    "TEXT_ENCODERS",
    "TRANSFORMS",
    "VISUALIZERS",
]
# which predicted crops become labels: curation, its principles and its rules of diversity
CURATION = Registry("curation", scope=_SCOPE, locations=["procrop.generation.curation"])

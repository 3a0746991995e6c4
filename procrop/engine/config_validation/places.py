"""Which kind of component stands at a place of a config, read off the keys that lead there."""

import re
from dataclasses import dataclass

from .lookup import ALL_GROUPS, MMCV_OPS

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Place:
    """What is expected at a place.

    Attributes:
        groups: the registries a ``type`` is looked up in, the likely ones first.
        certain: False where the keys say nothing and ``groups`` is simply everything.
        extras: keys that are taken out before the component is made, so that no signature has them.
    """

    groups: tuple[str, ...]
    certain: bool = True
    extras: frozenset[str] = frozenset()


def _place(*groups: str, extras: tuple[str, ...] = ()) -> Place:
    return Place(groups, extras=frozenset(extras))


# top-level keys that are read as components themselves; everything below them follows the other tables
_TOP = [
    ("(train|val|test)_cfg", _place("LOOPS")),
    ("model|tta_model|data_preprocessor", _place("MODELS")),
    ("(default|custom)_hooks", _place("HOOKS", extras=("priority",))),
    ("optim_wrapper", _place("OPTIM_WRAPPERS", extras=("constructor", "paramwise_cfg", "optimizer"))),
    ("param_scheduler", _place("PARAM_SCHEDULERS", extras=("convert_to_iter_based", "epoch_length"))),
    (r"(val|test)_evaluator(_\w+)?", _place("METRICS", "EVALUATOR")),
    ("visualizer", _place("VISUALIZERS")),
    ("log_processor", _place("LOG_PROCESSORS")),
    ("gallery_source", _place("GALLERY_SOURCES")),
    ("text_encoder", _place("TEXT_ENCODERS")),
]

_RETRIEVAL = [
    (r"(\w+_)?backbones?", _place("RETRIEVAL_BACKBONES")),
    (r"(\w+_)?key_transforms?|transforms?", _place("KEY_TRANSFORMS")),
    (r"(\w+_)?index(es)?", _place("INDEXES")),
]

_GENERATION = [
    ("source", _place("GALLERY_SOURCES")),
    ("steps|checks", _place("GENERATION_STEPS")),
    (r"(text_)?encoder|captioner", _place("TEXT_ENCODERS")),
    (r"(\w+_)?backbone", _place("RETRIEVAL_BACKBONES")),
]

_DATALOADER = [
    ("(batch_)?sampler", _place("DATA_SAMPLERS")),
    ("(collate|worker_init)_fn", _place("FUNCTIONS")),
]

# by the last key of the path, wherever it stands; the first match counts
_ANYWHERE = [
    (r"(\w+_)?pipeline(_\w+)?|transforms|aug_space", _place("TRANSFORMS")),
    (r"(\w+_)?datasets?(_\w+)?", _place("DATASETS")),
    ("optimizer", _place("OPTIMIZERS")),
    ("curation|principles|diversity", _place("CURATION")),
    ("vis_backends", _place("VISBACKENDS")),
    ("init_cfg|override", _place("WEIGHT_INITIALIZERS", extras=("override", "layer", "name"))),
    ("nms", _place(MMCV_OPS, extras=("class_agnostic", "split_thr", "max_num"))),
    ("roi_layer", _place(MMCV_OPS)),
    (
        r"(\w+_)?(assigner|sampler|bbox_coder|anchor_generator|prior_generator|point_generator|iou_calculator)"
        r"|match_costs?|\w+_cost",
        _place("TASK_UTILS"),
    ),
    (r"(\w+_)?norm_cfg", _place("MODELS", extras=("requires_grad",))),
    ("dcn", _place("MODELS", extras=("fallback_on_stride",))),
    ("loss_cls", _place("MODELS", extras=("bg_cls_weight",))),
    # mask heads take the factor out and turn it into kernel and stride
    ("upsample_cfg", _place("MODELS", extras=("scale_factor",))),
    (
        r"loss(_\w+)?|(\w+_)?(loss|head|neck|backbone|detector|roi_extractor|data_preprocessor|encoder|decoder)"
        r"|(\w+_)?(act_cfg|conv_cfg|upsample_cfg)|language_model|positional_encoding|batch_augments",
        _place("MODELS"),
    ),
]

_ANY_PLACE = Place(ALL_GROUPS, certain=False)
_MODEL_FIRST = Place(tuple(dict.fromkeys(("MODELS", "TASK_UTILS", *ALL_GROUPS))), certain=False)

# dicts below these keys are free: names chosen by the user, or options of a package that is not ours to judge
FREE_KEYS = frozenset(
    "backend_args file_client_args metainfo data_prefix custom_keys dist_cfg init_kwargs model_kwargs".split()
)
# components whose nested dicts with a ``type`` belong to another package (albumentations)
FREE_COMPONENTS = frozenset({"Albu"})


def place_of(path: Path) -> Place:
    """The place at the end of ``path``: keys and list positions from the top of the config."""
    keys = [key for key in path if isinstance(key, str)]
    if not keys:
        return _ANY_PLACE
    top, last = keys[0], keys[-1]
    if len(keys) == 1 or (len(keys) == 2 and top in ("default_hooks", "param_scheduler")):
        if (place := _match(_TOP, top)) is not None:
            return place
    if len(keys) == 2 and top == "optim_wrapper" and last != "optimizer":
        return _match(_TOP, top)
    if "retrieval" in keys[:-1] and (place := _match(_RETRIEVAL, last)) is not None:
        return place
    if top == "generation" and (place := _match(_GENERATION, last)) is not None:
        return place
    if top.endswith("_dataloader") and (place := _match(_DATALOADER, last)) is not None:
        return place
    if re.fullmatch(r"(val|test)_evaluator(_\w+)?", top) and last == "metrics":
        return _place("METRICS")
    if (place := _match(_ANYWHERE, last)) is not None:
        return place
    return _MODEL_FIRST if top in ("model", "tta_model") else _ANY_PLACE


def needs_type(path: Path) -> bool:
    """Whether a dict at the place is always looked up in a registry of ProCrop's own by its ``type``."""
    keys = [key for key in path if isinstance(key, str)]
    if keys in (["gallery_source"], ["text_encoder"], ["generation", "source"], ["generation", "steps"]):
        return True
    return len(keys) == 2 and keys[0] == "retrieval" and _match(_RETRIEVAL, keys[1]) is not None


def _match(table: list[tuple[str, Place]], key: str) -> Place | None:
    return next((place for pattern, place in table if re.fullmatch(pattern, key)), None)

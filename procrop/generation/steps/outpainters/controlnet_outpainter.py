"""Outpainting by Stable Diffusion with a ControlNet: the paper's choice."""

import importlib.util
import os
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from procrop.generation.analysis import PROMPT_MODES
from procrop.generation.item import CADItem
from procrop.generation.known_area import known_mask
from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from . import segmentation_map as colours
from .base import Outpainter
from .border_match import match_border
from .diffusion_files import files_sha256, model_folder

if TYPE_CHECKING:
    from diffusers import StableDiffusionControlNetInpaintPipeline

# raise when canvases are painted otherwise from equal weights
_VERSION = 1
# pixels of a latent cell
_CELL = 8
_DTYPES = ("float32", "float16", "bfloat16")
NEGATIVE_PROMPT = (
    "frame, border, picture in picture, collage, split screen, watermark, text, logo, duplicate, blurry, "
    "low quality"
)


@GENERATION_STEPS.register_module()
class ControlNetOutpainter(Outpainter):
    """I' = ControlNet(I_c, S, T): the canvas inpainted around the photo, led by its masks and by text (the paper).

    I_c is the canvas, S the multi-scale masks as one coloured map, black where nothing is known, and T the prompt that
    the analysis gives. The model is Stable Diffusion 1.5 or 2, with an inpainting UNet (9 channels) or a plain one (4);
    the ControlNet is one for coloured segmentations.

    Args:
        model: Folder of a Stable Diffusion pipeline as diffusers saves it (safetensors), or a hub name.
        controlnet: Folder or hub name of the ControlNet.
        revision, controlnet_revision: Commit of the hub repository, 40 digits; needed for hub names.
        variant: Of the weight files of both, e.g. "fp16" for ``model.fp16.safetensors``; None for plain names.
        prompt_mode: What the prompt tells, see `CompositionAnalysis.prompt`; Figure 4 compares them. Prompts longer
            than the 77 tokens of CLIP are encoded in pieces.
        negative_prompt: What is not to be seen.
        steps: Steps of denoising.
        guidance: Scale of classifier-free guidance; 1 is none, and the negative prompt without effect.
        control_scale: Weight of the ControlNet.
        border_reach: Pixels over which colours are drawn to the photo's at its border, see `match_border`; 0 is off.
        local_files_only: Take hub files from the local cache and never from the network.
        device: Torch device. The noise is drawn on the CPU, so a seed means the same noise on every device.
        dtype: ``"float32"``, ``"float16"`` or ``"bfloat16"``; images differ between them.

    Raises:
        ImportError: diffusers is missing.
        FileNotFoundError: Weights are missing.
        ValueError: A parameter out of range; at first use: files that cannot be loaded.
    """

    kept = True
    needs = ("photo", "canvas", "analysis", "masks")

    def __init__(
        self,
        model: str | os.PathLike,
        controlnet: str | os.PathLike,
        revision: str | None = None,
        controlnet_revision: str | None = None,
        variant: str | None = None,
        prompt_mode: str = "both",
        negative_prompt: str = NEGATIVE_PROMPT,
        steps: int = 30,
        guidance: float = 7.5,
        control_scale: float = 1.0,
        border_reach: float = 24,
        local_files_only: bool = True,
        device: str = "cpu",
        dtype: str = "float32",
    ) -> None:
        if prompt_mode not in PROMPT_MODES:
            raise ValueError(f"prompt_mode must be one of {PROMPT_MODES}, got {prompt_mode!r}")
        if dtype not in _DTYPES:
            raise ValueError(f"dtype must be one of {', '.join(_DTYPES)}, not {dtype!r}")
        if steps < 1 or guidance < 1 or control_scale < 0 or border_reach < 0:
            raise ValueError(
                f"steps and guidance must be at least 1, control_scale and border_reach at least 0, got {steps}, "
                f"{guidance}, {control_scale} and {border_reach}"
            )
        if importlib.util.find_spec("diffusers") is None:
            raise ImportError(
                "ControlNetOutpainter needs diffusers: pip install 'procrop[generation]', or diffusers and accelerate"
            )
        self.variant = variant
        self.folder = model_folder(model, revision, local_files_only, True, variant)
        self.controlnet_folder = model_folder(
            controlnet, controlnet_revision, local_files_only, False, variant
        )
        self.prompt_mode, self.negative_prompt = prompt_mode, negative_prompt
        self.steps, self.guidance = int(steps), float(guidance)
        self.control_scale, self.border_reach = float(control_scale), float(border_reach)
        self.device, self.dtype = device, dtype

    @cached_property
    def fingerprint(self) -> str:
        return sha256_json(
            {
                "type": type(self).__name__,
                "model": files_sha256(self.folder, True, self.variant),
                "controlnet": files_sha256(self.controlnet_folder, False, self.variant),
                "prompt": [self.prompt_mode, self.negative_prompt],
                "sampling": [self.steps, self.guidance, self.control_scale, self.dtype],
                "border_reach": self.border_reach,
                "version": [_VERSION, colours.VERSION],
            }
        )

    @cached_property
    def pipeline(self) -> "StableDiffusionControlNetInpaintPipeline":
        """The loaded models on the device."""
        import torch
        from diffusers import ControlNetModel, StableDiffusionControlNetInpaintPipeline

        from procrop.networks.placement import checked_device

        device = checked_device(self.device)
        options = dict(use_safetensors=True, local_files_only=True, variant=self.variant)
        try:
            controlnet = ControlNetModel.from_pretrained(self.controlnet_folder, **options)
            pipeline = StableDiffusionControlNetInpaintPipeline.from_pretrained(
                self.folder,
                controlnet=controlnet,
                safety_checker=None,
                feature_extractor=None,
                requires_safety_checker=False,
                **options,
            )
        except Exception as error:
            raise ValueError(
                f"{self.folder} and {self.controlnet_folder}: cannot be loaded as Stable Diffusion and its ControlNet "
                f"({error}); both must be of the same Stable Diffusion, saved by diffusers as safetensors"
            ) from error
        pipeline.set_progress_bar_config(disable=True)
        return pipeline.to(device, getattr(torch, self.dtype))

    def paint(self, canvas: np.ndarray, item: CADItem, rng: np.random.Generator) -> np.ndarray:
        import torch

        from .prompt_embeddings import embed_prompts

        name, plan, pipeline = type(self).__name__, item.canvas, self.pipeline
        analysis, masks = item.need("analysis", name), item.need("masks", name)
        prompt = analysis.prompt(self.prompt_mode)
        texts = embed_prompts(pipeline.tokenizer, pipeline.text_encoder, prompt, self.negative_prompt)
        # the models work on whole cells: up to 7 more columns and rows are painted, and cut off again
        rows, columns = (-(-side // _CELL) * _CELL for side in (plan.height, plan.width))
        control = colours.segmentation_map(masks, plan)
        painted = pipeline(
            prompt_embeds=texts[0],
            negative_prompt_embeds=texts[1],
            image=_padded(canvas, rows, columns, 0)[None] / np.float32(255),
            mask_image=_padded((~known_mask(plan)).astype(np.float32), rows, columns, 1)[None, ..., None],
            control_image=torch.from_numpy(_padded(control, rows, columns, 0)).permute(2, 0, 1)[None] / 255.0,
            height=rows,
            width=columns,
            num_inference_steps=self.steps,
            guidance_scale=self.guidance,
            controlnet_conditioning_scale=self.control_scale,
            generator=torch.Generator("cpu").manual_seed(int(rng.integers(2**62))),
            output_type="np",
        ).images[0]
        if not np.isfinite(painted).all():
            raise ValueError(
                f"{name}: the model gave values that are no numbers for {item.key}; try dtype='bfloat16' or 'float32'"
            )
        painted = np.rint(painted[: plan.height, : plan.width] * 255).clip(0, 255).astype(np.uint8)
        return match_border(painted, canvas, plan, self.border_reach)

    def close(self) -> None:
        """Let go of the models."""
        self.__dict__.pop("pipeline", None)


def _padded(image: np.ndarray, rows: int, columns: int, value: int) -> np.ndarray:
    """An image (h, w, ...) with rows and columns of one value added below and to the right."""
    add = [(0, rows - image.shape[0]), (0, columns - image.shape[1])] + [(0, 0)] * (image.ndim - 2)
    return np.pad(image, add, constant_values=value)

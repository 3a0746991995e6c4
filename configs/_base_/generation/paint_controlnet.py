# From photo to canvas as in the paper: SAM's masks, a random canvas, and Stable Diffusion with a ControlNet, led by
# masks and text; an analysis has to come before. For a GPU. Weights, with SAM's from
#   https://dl.fbaipublicfiles.com/segment_anything/sam_vit_h_4b8939.pth
# and the others fetched once by
#   hf download stable-diffusion-v1-5/stable-diffusion-inpainting --revision 8a4288a76071f7280aedbdb3253bdb9e9d5d84bb
#   hf download lllyasviel/control_v11p_sd15_seg --revision 210682041b41097834006a910b8773f423343900
# or name folders with them in `model` and `controlnet`, and leave the revisions out.
outpainter = dict(
    type="ControlNetOutpainter",
    model="stable-diffusion-v1-5/stable-diffusion-inpainting",
    revision="8a4288a76071f7280aedbdb3253bdb9e9d5d84bb",
    controlnet="lllyasviel/control_v11p_sd15_seg",
    controlnet_revision="210682041b41097834006a910b8773f423343900",
    variant="fp16",
    device="cuda",
    dtype="float16",
)
generation = dict(
    steps=[
        dict(type="SAMMasks", model_type="vit_h", checkpoint="weights/sam_vit_h_4b8939.pth", device="cuda"),
        dict(type="RandomCanvas", sides=(700, 1024)),
        dict(**outpainter, prompt_mode="both", steps=30, guidance=7.5),
    ]
)

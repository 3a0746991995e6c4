# BLIP, as in the paper, which does not say which; here base. Captions by one network, tokens (m', 768) of caption and
# photo by another, m' <= 35; seconds per photo on a CPU (docs/text.md). The weights, about 1 GB each, are fetched by
#   hf download Salesforce/blip-image-captioning-base --local-dir weights/blip-image-captioning-base
#   hf download Salesforce/blip-itm-base-coco --local-dir weights/blip-itm-base-coco
# Both folders need model.safetensors; docs/text.md says what to do where there is only a pytorch_model.bin. Or give hub
# names, pinned: token_revision and caption_revision take the commits, which `hf download` without --local-dir prints at
# its end (.../snapshots/<commit>).
text_encoder = dict(
    type="BLIPTextEncoder",
    token_model="weights/blip-itm-base-coco",
    caption_model="weights/blip-image-captioning-base",
    prompt="a photo composed of",
    num_beams=3,
    max_new_tokens=30,
    max_caption_tokens=35,
)

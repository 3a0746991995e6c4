# BLIP base writes the captions and encodes them with their photo: tokens of width 768, the last hidden states.
text_encoder = dict(
    type="BLIPTextEncoder",
    token_model="Salesforce/blip-itm-base-coco",
    caption_model="Salesforce/blip-image-captioning-base",
)

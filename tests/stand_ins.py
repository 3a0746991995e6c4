"""What stands in for encoders whose weights cannot be had without a download: random ones, of small networks."""

import copy

SMALL_SAM = dict(embed_dim=32, depth=2, num_heads=2, global_attn_indexes=(1,), image_size=256)
_SMALL_CLIP = dict(
    hidden_size=32, intermediate_size=64, projection_dim=16, num_hidden_layers=2, num_attention_heads=4
)
_SMALL_CLIP |= dict(image_size=56, patch_size=8, initializer_factor=8.0)
_SMALL_DREAMSIM = dict(width=32, depth=2, heads=4, out_dim=16)

# type of the encoder -> changes to its config; without "arch" and "config" the network has its full size
STAND_INS = {
    "SAMRetrieval": dict(checkpoint=None, random_weights_seed=0, arch=SMALL_SAM),
    "HFSAMRetrieval": dict(pretrained=None, random_weights_seed=0, arch=SMALL_SAM),
    "CLIPRetrieval": dict(model=None, revision=None, random_weights_seed=0, config=_SMALL_CLIP),
    "DreamSimRetrieval": dict(folder=None, random_weights_seed=0, config=_SMALL_DREAMSIM),
    "LPIPSRetrieval": dict(random_weights_seed=0, image_size=32),
    "EfficientNetLiteRetrieval": {},
    "SubjectEvidenceRetrieval": dict(image_size=64),
    "LineCompositionRetrieval": {},
}
# type of the text encoder -> one that makes tokens of the same width without weights or photos
TEXT_STAND_INS = {"BLIPTextEncoder": dict(type="WordTextEncoder", token_dim=768)}


def with_stand_ins(retrieval: dict) -> dict:
    """A copy of a retrieval config that needs no weights."""
    retrieval = copy.deepcopy(retrieval)
    for name in ("backbone", "token_backbone"):
        if retrieval.get(name):
            retrieval[name].update(STAND_INS[retrieval[name]["type"]])
    return retrieval


def text_stand_in(text_encoder: dict) -> dict:
    """The config of a text encoder that needs no weights."""
    return copy.deepcopy(TEXT_STAND_INS.get(text_encoder["type"], text_encoder))

# Encoder of gallery and queries for a cropper that sees where subjects are (procrop_evidence.py): tokens of 64 numbers
# say where a reference's subject is and what is there, keys of 64 what the photo shows. A photo takes 2.3 KB.
retrieval = dict(
    backbone=dict(
        type="SubjectEvidenceRetrieval", variant="lite0", image_size=384, token_grid=(4, 4), token_dim=64
    ),
    key_transform=dict(type="Normalise"),
    index=dict(type="FaissIndex", factory="Flat"),
)

# procrop_cad_small.py with K = 6 references of a gallery of the source photos.
_base_ = ["procrop_cad_small.py", "../_base_/retrieval/efficientnet_lite0.py"]
model = dict(
    context_encoders=dict(_delete_=True, references=dict(type="ReferenceEncoder", embed_dims=128)),
    fusion=dict(
        _delete_=True, type="FusionNeck", embed_dims=128, contexts=("references",), num_heads=8, dropout=0.0
    ),
)
references = dict(
    type="LoadReferences",
    gallery="data/cad_small/gallery_index",
    table="data/cad_small/neighbours.npz",
    k=6,
    what="image",
)
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

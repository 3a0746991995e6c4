# Figure 9: K = 15 references a photo. All K read one table, made with the largest: tools/neighbours.py with k20.py.
_base_ = ["../../procrop_cad.py"]
references = dict(k=15)
train_dataloader = dict(dataset=dict(references=references))
val_dataloader = dict(dataset=dict(references=references))
test_dataloader = dict(dataset=dict(references=references))

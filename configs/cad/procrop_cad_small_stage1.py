# procrop_cad_small.py on the known areas alone, as many epochs in all: what the second stage is compared with.
_base_ = ["procrop_cad_small.py"]
custom_hooks = []

# Table 5: no references at all, the row that the others are compared with.
_base_ = ["../../baselines/cdetr_gaicv1.py"]

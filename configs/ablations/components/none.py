# Table 6: neither retrieval nor text.
_base_ = ["../retrieval_count/k00.py"]

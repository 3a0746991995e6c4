"""Experiments on drawn photos that show what a part of the model is for (tools/mechanism.py, text_mechanism.py)."""

"""Readers of annotation files, one format per module: from bytes to arrays, without torch."""

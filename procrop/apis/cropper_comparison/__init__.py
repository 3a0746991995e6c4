"""Croppers beside each other on photos with human crops: trained ones, rules, packages, constant answers.

    rows ─► kept predictions, a file a row (prediction_store) ─► table with paired differences ─► text, JSON, Markdown
                                                          └──► sheet of pictures

``tools/compare_croppers.py`` is the command.
"""

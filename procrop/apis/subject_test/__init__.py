"""Croppers asked for crops of a ratio of photos whose subject is known.

    known_subjects.jsonl ─► photos ─► croppers ─► crops ─► measure_kept ─► table, JSON
                                                     └──► sheet of the subjects that were cut

``tools/subject_kept.py`` is the command.
"""

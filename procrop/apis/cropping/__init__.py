"""The command ``procrop crop``: from what a person names to files of crops and a record of them.

.. code-block:: text

    words ─► inputs ─► plan (jobs, names of crops) ─┬─► dry run
                          resume (what is done) ────┘
    jobs ─► read ahead ─► embed once, answer each ratio ─► files, in threads ─► record, CSV, sheet, in order
"""

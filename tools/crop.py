"""Crop photos with a trained checkpoint: ``python tools/crop.py PATH... --checkpoint FILE --out DIR``.

The same as ``procrop crop``, which docs/crop_command.md explains: crops, crops.jsonl, crops.csv, a contact sheet.
Exit codes: 0 done, 1 some photos were rejected (they are listed), 2 usage.
"""

import sys

from procrop.apis.cli import tool_main
from procrop.apis.cropping import command

if __name__ == "__main__":
    sys.exit(tool_main(command))

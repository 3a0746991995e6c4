"""Crop photos with a trained checkpoint: ``python tools/crop.py PHOTO_OR_FOLDER... --checkpoint FILE --out DIR``.

Writes DIR/crops/<name>_<rank>.jpg, DIR/crops.jsonl (a line per photo) and DIR/sheet.png. The same as ``procrop crop``.
Exit codes: 0 done, 1 some photos were rejected (they are listed), 2 usage.
"""

import sys

from procrop.apis import crop_command
from procrop.apis.cli import tool_main

if __name__ == "__main__":
    sys.exit(tool_main(crop_command))

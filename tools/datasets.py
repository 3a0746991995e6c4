"""Look at, check, convert and show datasets of annotated crops; the same as ``procrop datasets``.

    python tools/datasets.py info FORMAT:ROOT[:SPLIT] [--json FILE] [--out FILE.png]
    python tools/datasets.py check FORMAT:ROOT[:SPLIT] [--decode] [--gallery DIR] [--against FORMAT:ROOT[:SPLIT]]
    python tools/datasets.py convert FORMAT:ROOT[:SPLIT] FORMAT:ROOT[:SPLIT] [--photos copy|link|none] [--replace]
    python tools/datasets.py show FORMAT:ROOT[:SPLIT] --out DIR|FILE.html

docs/datasets_tool.md shows what each prints. Exit codes: 0 done, 1 problems found or records left out, 2 usage.
"""

import sys

from procrop.apis import dataset_command
from procrop.apis.cli import tool_main

if __name__ == "__main__":
    sys.exit(tool_main(dataset_command))

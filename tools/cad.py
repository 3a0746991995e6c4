"""Look at what came out of training on a weakly annotated dataset.

    python tools/cad.py labels STORE [--out FILE.png]
    python tools/cad.py labels STORE --photo ID [--data ROOT --out FILE]

Exit codes: 0 done, 2 not usable as asked.
"""

import sys

from procrop.apis import cad_command
from procrop.apis.cli import tool_main

if __name__ == "__main__":
    sys.exit(tool_main(cad_command))

"""Make a dataset like CAD from professional photos, and look at it and its labels; the same as ``procrop cad``.

    python tools/cad.py generate CONFIG --out OUT [--workers N] [--limit N]
    python tools/cad.py generate CONFIG --out OUT --shard 0/8    (one of 8 parts; then once without --shard)
    torchrun --nproc_per_node=8 tools/cad.py generate CONFIG --out OUT
    python tools/cad.py stats OUT
    python tools/cad.py show OUT --to DIR|FILE.html
    python tools/cad.py labels STORE [--out FILE.png]
    python tools/cad.py labels STORE --photo ID [--data ROOT --out FILE]

docs/generation.md says more. A run that was interrupted goes on where it was, to the same bytes.
Exit codes: 0 done, 1 done but something was left out, 2 not usable as asked.
"""

import sys

from procrop.apis import cad_command
from procrop.apis.cli import tool_main

if __name__ == "__main__":
    sys.exit(tool_main(cad_command))

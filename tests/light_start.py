"""What a fresh interpreter has imported: start-up is cheap as long as none of the heavy packages is among it."""

import json
import subprocess
import sys
from pathlib import Path
from textwrap import indent

ROOT = Path(__file__).resolve().parents[1]
HEAVY = {
    "cv2",
    "diffusers",
    "faiss",
    "gradio",
    "jpeglib",
    "matplotlib",
    "mmcv",
    "mmdet",
    "mmengine",
    "numpy",
    "onnx",
    "onnxruntime",
    "PIL",
    "safetensors",
    "scipy",
    "shtab",
    "skimage",
    "sklearn",
    "torch",
    "torchvision",
    "tqdm",
    "transformers",
    "yaml",
}


def modules_after(code: str) -> set[str]:
    """Top-level modules that a fresh interpreter holds after running ``code``."""
    program = f"import json, sys\n{code}\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in json.loads(done.stdout.splitlines()[-1])}


def modules_after_help(code: str) -> set[str]:
    """The same where ``code`` shows a help text, which ends a program with exit code 0."""
    return modules_after(
        f"try:\n{indent(code, '    ')}\n    raise RuntimeError('--help did not end the program')\n"
        "except SystemExit as stop:\n    assert stop.code in (0, None), stop.code"
    )

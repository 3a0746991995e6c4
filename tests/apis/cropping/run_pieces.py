"""Small helpers for tests of the crop command."""

from pathlib import Path


def tree(root: Path) -> dict[str, bytes]:
    """The files below a folder with their content."""
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()
    }

"""Names that annotation files give to photos must stay inside the dataset's folders."""

from pathlib import Path, PurePosixPath


def name_fault(name: object) -> str | None:
    """Say why a name from an annotation file cannot name a file of the dataset, if it cannot.

    Args:
        name: The name as in the file, with "/" between folders.

    Returns:
        The reason, or None for a relative name that stays below the folder it is looked for in.
    """
    if not isinstance(name, str) or not name.strip():
        return "no file name"
    parts = PurePosixPath(name).parts
    drive = len(name) > 1 and name[1] == ":"
    if "\0" in name or "\\" in name or drive or name.startswith("/") or ".." in parts:
        return "name that leaves the dataset's folders"
    return None


def link_fault(path: Path, root: Path) -> str | None:
    """Say that a file is a link that leads out of the dataset's folders, if it is.

    A linked folder was put there by the user and may lie anywhere; a linked file may not lead out of it.
    """
    if not path.is_symlink():
        return None
    target = path.resolve()
    if target.is_relative_to(root.resolve()) or target.is_relative_to(path.parent.resolve()):
        return None
    return "link that leaves the dataset's folders"

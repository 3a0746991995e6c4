"""Files of a release, as a test words them."""


def write(root, files):
    """Write files, name -> text or bytes, below a folder, and return it."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root

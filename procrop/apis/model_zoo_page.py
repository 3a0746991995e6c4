"""The tables of docs/model_zoo.md, made of the metafile."""

from collections.abc import Iterator
from pathlib import Path

from procrop.apis.models_command import megabytes
from procrop.generation.datacard import markdown_table
from procrop.io.manifest import MANIFEST_NAME, sha256_file
from procrop.model_zoo import ModelEntry, ModelZoo, Recipe

BEGIN = "<!-- made of procrop/model_zoo/metafile.yml by tools/model_zoo.py page: begin -->"
END = "<!-- end -->"


def with_tables(page: str, zoo: ModelZoo) -> str:
    """The page with the text between its two marks made anew.

    Args:
        page: Markdown with the lines `BEGIN` and `END`.
        zoo: what the tables show.

    Raises:
        ValueError: A mark is missing.
    """
    before, mark, rest = page.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(f"{END}\n")
    if not mark or not end:
        raise ValueError(f"the page has no lines {BEGIN!r} and {END!r} to put the tables between")
    return f"{before}{mark}{chr(10).join(tables(zoo))}\n{end}{after}"


def tables(zoo: ModelZoo) -> Iterator[str]:
    """Lines of Markdown: the models that can be had, then the configs without published weights."""
    yield ""
    if zoo.models:
        names = ("model", "config", "trained on", "figures", "weights", "gallery", "SHA-256 of the weights")
        yield from markdown_table(names, map(_model_row, zoo.models.values()))
    else:
        yield "No trained weights are published yet."
    yield ""
    yield "No weights are published of these; the commands train them:"
    yield ""
    yield from markdown_table(
        ("name", "config", "trained on", "how to train"), map(_recipe_row, zoo.recipes.values())
    )
    yield ""


def _model_row(model: ModelEntry) -> tuple[str, ...]:
    figures = [
        f"{result.dataset}: {metric} {value:g}"
        for result in model.results
        for metric, value in result.metrics.items()
    ]
    gallery = "none"
    if model.gallery is not None:
        gallery = (
            f"{model.gallery.photos:,} photos of {model.gallery.source}, {megabytes(model.gallery.size)}, "
            f"{model.gallery.license}"
        )
    weights = f"{megabytes(model.weights.size)}, {model.weights.license}"
    data = ", ".join(model.training_data)
    name, digest = f"`{model.name}`", f"`{model.weights.sha256}`"
    return name, f"`{model.config}`", data, "<br>".join(figures) or "none", weights, gallery, digest


def _recipe_row(recipe: Recipe) -> tuple[str, ...]:
    name = f"`{recipe.name}`" + (f": {recipe.note}" if recipe.note else "")
    commands = "<br>".join(f"`{command}`" for command in recipe.training)
    return name, f"`{recipe.config}`", ", ".join(recipe.training_data), commands


def measured(path: Path) -> str:
    """SHA-256 and size of a file, or of a gallery's folder, as lines for a metafile.

    Raises:
        ValueError: There is no such file, or the folder holds no finished gallery.
    """
    if path.is_file():
        digest, size = sha256_file(path), path.stat().st_size
    elif path.is_dir():
        manifests = sorted(path.rglob(MANIFEST_NAME))
        if len(manifests) != 1:
            raise ValueError(
                f"{path}: holds {len(manifests)} files {MANIFEST_NAME} instead of one, that of a gallery"
            )
        digest = sha256_file(manifests[0])
        size = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        folder = manifests[0].parent.relative_to(path)
        return f"SHA-256: '{digest}'\nSize: {size}\nFolder: {folder.as_posix()}"
    else:
        raise ValueError(f"{path}: there is no such file or folder")
    return f"SHA-256: '{digest}'\nSize: {size}"

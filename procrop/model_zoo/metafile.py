"""``metafile.yml``: OpenMMLab's layout, with SHA-256, size, licence and gallery of what can be had."""

import os
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

from .errors import MetafileError, ModelZooError
from .locations import check_location, is_remote
from .metafile_check import Entry, entries
from .model_entry import GalleryFile, ModelEntry, PublishedFile, Recipe, Result

METAFILE_VARIABLE = "PROCROP_METAFILE"
PACKAGE_METAFILE = Path(__file__).with_name("metafile.yml")

_TOP = ("Collections", "Models", "Recipes")
_COLLECTION = ("Name", "Metadata", "Paper", "README", "Code", "License")
_RECIPE = ("Name", "In Collection", "Config", "Metadata", "Training", "Note")
_FILE = ("SHA-256", "Size", "License")
_MODEL = ("Name", "In Collection", "Config", "Metadata", "Results", "README", "Weights", *_FILE, "Gallery")
_GALLERY = ("Location", *_FILE, "Source", "Photos", "Folder")
_RESULT = ("Task", "Dataset", "Metrics")


@dataclass
class ModelZoo:
    """All that the metafiles say.

    Attributes:
        collections: names of model families.
        models: models that can be had, by name, in the files' order.
        recipes: configs without published weights, by name.
    """

    collections: list[str] = field(default_factory=list)
    models: dict[str, ModelEntry] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)

    def model(self, name: str) -> ModelEntry:
        """The model of that name.

        Raises:
            ModelZooError: There is none; the message says what there is, or how to train it.
        """
        if name in self.models:
            return self.models[name]
        if name in self.recipes:
            commands = " && ".join(self.recipes[name].training)
            raise ModelZooError(f"no weights of {name} are published; train it: {commands}")
        near = get_close_matches(name, [*self.models, *self.recipes], 1)
        there = (
            ", ".join(self.models)
            or "none yet; they come with a newer version, or with a metafile of your own"
        )
        guess = f"did you mean {near[0]}? " if near else ""
        raise ModelZooError(f"no model is called {name!r}; {guess}Published models: {there}")


def read_zoo(metafile: str | os.PathLike | None = None) -> ModelZoo:
    """Read the package's metafile, and the user's own where there is one.

    Args:
        metafile: the user's own; by default the one that the environment variable PROCROP_METAFILE names. Its models
            join those of the package.

    Raises:
        MetafileError: A file is missing, is no YAML, has an unknown key or a wrong value, or a name is there twice.
    """
    own = metafile or os.environ.get(METAFILE_VARIABLE)
    zoo = read_package_zoo()
    if own:
        _add(zoo, Path(own))
    return zoo


def read_package_zoo() -> ModelZoo:
    """The models and recipes of the package alone."""
    zoo = ModelZoo()
    _add(zoo, PACKAGE_METAFILE)
    return zoo


def _add(zoo: ModelZoo, path: Path) -> None:
    top = Entry.of(_load(path), str(path), _TOP).values
    for item, place in entries(top, "Collections", path):
        zoo.collections.append(Entry.of(item, place, _COLLECTION).name())
    for item, place in entries(top, "Models", path):
        model = _model(Entry.of(item, place, _MODEL), path)
        _check_new(zoo, model, place)
        zoo.models[model.name] = model
    for item, place in entries(top, "Recipes", path):
        recipe = _recipe(Entry.of(item, place, _RECIPE))
        _check_new(zoo, recipe, place)
        zoo.recipes[recipe.name] = recipe


def _load(path: Path) -> object:
    import yaml

    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise MetafileError(
            f"{path}: there is no such metafile; name a file as docs/model_zoo.md shows"
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        words = " ".join(str(error).split())
        raise MetafileError(f"{path}: cannot be read as YAML ({words}); mend the file") from error


@lru_cache(maxsize=8)  # read at each call of crop(), and yaml takes 20 ms; nobody changes what it gives
def _parsed(text: str) -> object:
    import yaml

    return yaml.safe_load(text)


def _check_new(zoo: ModelZoo, entry: ModelEntry | Recipe, place: str) -> None:
    if entry.name in zoo.models or entry.name in zoo.recipes:
        raise MetafileError(f"{place}: there is another model of this name; give it a name of its own")
    if entry.collection not in zoo.collections:
        known = ", ".join(zoo.collections)
        raise MetafileError(f"{place}: there is no collection {entry.collection!r}; there are {known}")


def _model(entry: Entry, path: Path) -> ModelEntry:
    name = entry.name()
    metadata = entry.mapping("Metadata")
    gallery = None
    if "Gallery" in entry.values:
        gallery = _gallery(Entry.of(entry.values["Gallery"], f"{entry.place}: Gallery", _GALLERY), name, path)
    return ModelEntry(
        name,
        entry.text("In Collection"),
        entry.text("Config"),
        Entry(metadata, f"{entry.place}: Metadata").texts("Training Data"),
        PublishedFile(name, "weights", *_file(entry, "Weights", path)),
        gallery,
        tuple(_results(entry)),
        metadata,
    )


def _gallery(entry: Entry, model: str, path: Path) -> GalleryFile:
    folder = entry.text("Folder", ".")
    if Path(folder).is_absolute() or ".." in Path(folder).parts:
        raise MetafileError(f"{entry.place}: 'Folder' must lie within the gallery, not {folder!r}")
    file = _file(entry, "Location", path)
    if is_remote(file[0]) and not file[0].endswith(".zip"):
        raise MetafileError(
            f"{entry.place}: a gallery to download is a .zip archive of its folder, not {file[0]!r}"
        )
    return GalleryFile(
        model,
        "gallery",
        *file,
        source=entry.text("Source"),
        photos=entry.count("Photos"),
        folder=folder,
    )


def _file(entry: Entry, key: str, path: Path) -> tuple[str, str, int, str, Path]:
    location = entry.text(key)
    try:
        check_location(location)
    except ValueError as error:
        raise MetafileError(f"{entry.place}: {key!r}: {error}") from error
    return location, entry.sha256(), entry.count("Size"), entry.text("License"), path


def _results(entry: Entry) -> list[Result]:
    items = entry.values.get("Results", [])
    if not isinstance(items, list):
        raise MetafileError(f"{entry.place}: 'Results' must be a list, not {items!r}")
    results = [
        Entry.of(item, f"{entry.place}: Results {n}", _RESULT) for n, item in enumerate(items, start=1)
    ]
    return [Result(one.text("Task"), one.text("Dataset"), one.figures("Metrics")) for one in results]


def _recipe(entry: Entry) -> Recipe:
    data = Entry(entry.mapping("Metadata"), f"{entry.place}: Metadata").texts("Training Data")
    collection, config, note = (
        entry.text("In Collection"),
        entry.text("Config"),
        entry.text("Note", " ").strip(),
    )
    return Recipe(entry.name(), collection, config, data, entry.texts("Training"), note)

"""Predictions of each row in a file, kept as long as nothing they depend on changes."""

import json
import os
from collections.abc import Sequence
from pathlib import Path

from procrop.io import PhotoError, progress, sha256_file
from procrop.io.atomic import write_json, write_many
from procrop.io.manifest import sha256_json

from .cropper_row import ComparedPhoto, CropperRow


class PredictionStore:
    """A folder of ``NAME.jsonl``, predictions as `tools/evaluate.py` takes them, each with a ``NAME.recipe.json``: what
    they were made with, digests of the photos and of the predictions, and the photos that were rejected.

    Args:
        folder: Made when it does not exist.
        photos: The photos of the comparison; their files are read for a digest.
    """

    def __init__(self, folder: str | os.PathLike, photos: Sequence[ComparedPhoto]) -> None:
        self.folder, self.photos = Path(folder), list(photos)
        digests = {path: sha256_file(path) for path in {photo.path for photo in self.photos}}
        listed = [[p.record.img_id, p.record.source_id, digests[p.path]] for p in self.photos]
        self._photos = sha256_json(listed)

    def path(self, row: CropperRow) -> Path:
        """Where the predictions of a row lie."""
        return self.folder / f"{row.name}.jsonl"

    def is_kept(self, row: CropperRow) -> bool:
        """Whether the predictions are there, made by the same recipe of the same photos, and as they were written."""
        try:
            noted = json.loads(self._note(row).read_text(encoding="utf-8"))
            whole = noted["predictions"] == sha256_file(self.path(row))
        except (OSError, ValueError, KeyError, TypeError):
            return False
        return whole and noted.get("made_of") == self._made_of(row)

    def rejected(self, row: CropperRow) -> dict[str, str]:
        """Reason by img_id of the photos that a row gave no crops for."""
        return json.loads(self._note(row).read_text(encoding="utf-8"))["rejected"]

    def fill(self, rows: Sequence[CropperRow], fresh: bool = False) -> list[str]:
        """Make the predictions of rows that are not kept, photo by photo; each row's appear at once, at the end.

        Args:
            rows: The croppers.
            fresh: Make all again.

        Returns:
            Names of the rows that were made.
        """
        wanted = [row for row in rows if fresh or not self.is_kept(row)]
        if not wanted:
            return []
        predictors = [(row, row.open()) for row in wanted]
        lines: dict[str, list[str]] = {row.name: [] for row in wanted}
        rejected: dict[str, dict[str, str]] = {row.name: {} for row in wanted}
        for photo in progress(self.photos, desc=f"cropping, {len(wanted)} rows"):
            for row, predict in predictors:
                try:
                    line = predict(photo).line(photo)
                except (PhotoError, ValueError) as error:
                    rejected[row.name][photo.record.img_id] = str(error)
                    continue
                lines[row.name].append(json.dumps(line, allow_nan=False) + "\n")
        self.folder.mkdir(parents=True, exist_ok=True)
        for row in wanted:
            write_many([(self.path(row), "".join(lines[row.name]).encode("ascii"))])
            note = {"about": row.about, "made_of": self._made_of(row), "rejected": rejected[row.name]}
            write_json(self._note(row), note | {"predictions": sha256_file(self.path(row))})
        return [row.name for row in wanted]

    def _note(self, row: CropperRow) -> Path:
        return self.folder / f"{row.name}.recipe.json"

    def _made_of(self, row: CropperRow) -> dict[str, object]:
        return json.loads(json.dumps({"recipe": dict(row.recipe), "photos": self._photos}))

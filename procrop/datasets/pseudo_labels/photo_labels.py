"""The labels of one photo in one version, and their line in a file."""

import json
from dataclasses import dataclass

import numpy as np

# decimals of a pixel and of a score in the files
_PIXELS, _SCORES = 2, 4


@dataclass(frozen=True, eq=False)
class PhotoLabels:
    """Labels that a model has given to a photo.

    Attributes:
        img_id: Of the photo.
        known: (4,) float64 ``xyxy``: the known area, which is the label that people are behind.
        boxes: (n, 4) float64 ``xyxy`` in pixels of the whole, upright photo as it is on the disk, best first.
        scores: (n,) float64: what they count as, on the scale of the known area's score and below it.
        predicted: (n,) float64: what the teacher gave them, in [0, 1].
        size: (width, height) of the photo in pixels.
        photo: The photo's name relative to its dataset's folder, with "/", for pictures; empty if unknown.
    """

    img_id: str
    known: np.ndarray
    boxes: np.ndarray
    scores: np.ndarray
    predicted: np.ndarray
    size: tuple[int, int]
    photo: str = ""

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "known", np.round(np.asarray(self.known, np.float64).reshape(4), _PIXELS))
        put(self, "boxes", np.round(np.asarray(self.boxes, np.float64).reshape(-1, 4), _PIXELS))
        for name in ("scores", "predicted"):
            values = np.round(np.asarray(getattr(self, name), np.float64).reshape(-1), _SCORES)
            if len(values) != len(self.boxes):
                raise ValueError(f"{self.img_id}: {len(values)} {name} for {len(self.boxes)} boxes")
            put(self, name, values)
        put(self, "size", (int(self.size[0]), int(self.size[1])))
        everything = np.concatenate([self.known, self.boxes.ravel(), self.scores, self.predicted])
        if not np.isfinite(everything).all():
            raise ValueError(f"{self.img_id}: a label is not a finite number")

    def line(self) -> str:
        """One JSON object with its line end; what is read back is equal."""
        labels = [
            {"box": box, "score": score, "predicted": predicted}
            for box, score, predicted in zip(
                self.boxes.tolist(), self.scores.tolist(), self.predicted.tolist(), strict=True
            )
        ]
        values = {"id": self.img_id, "photo": self.photo, "size": list(self.size)}
        values |= {"known": self.known.tolist(), "labels": labels}
        return json.dumps(values, ensure_ascii=False, allow_nan=False) + "\n"

    @staticmethod
    def line_start(img_id: str) -> str:
        """What the line of a photo begins with."""
        return json.dumps({"id": img_id}, ensure_ascii=False)[:-1] + ","

    @classmethod
    def of_line(cls, text: str) -> "PhotoLabels":
        """Read a line.

        Raises:
            ValueError: It is none; KeyError or TypeError where a part is missing or of another kind.
        """
        values = json.loads(text)
        labels = values["labels"]
        return cls(
            values["id"],
            values["known"],
            np.array([label["box"] for label in labels], np.float64),
            np.array([label["score"] for label in labels], np.float64),
            np.array([label["predicted"] for label in labels], np.float64),
            tuple(values["size"]),
            values["photo"],
        )

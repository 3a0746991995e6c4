"""What goes into an exported cropper and what comes out, by name."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GraphTensor:
    """An input or output of a graph.

    Attributes:
        name: in the graph.
        dtype: numpy's name.
        shape: a number for what is fixed, a name for what varies; equal names are equal sizes.
        meaning: units and frame, in words.
    """

    name: str
    dtype: str
    shape: tuple[int | str, ...]
    meaning: str

    @property
    def dynamic_axes(self) -> dict[int, str]:
        """Axis to name, where the size varies."""
        return {axis: size for axis, size in enumerate(self.shape) if isinstance(size, str)}

    def to_dict(self) -> dict:
        """Plain values for JSON."""
        return dict(name=self.name, dtype=self.dtype, shape=list(self.shape), meaning=self.meaning)


IMAGE = GraphTensor(
    "image",
    "float32",
    ("batch", 3, "height", "width"),
    "RGB photos, resized, (value - mean) / std, then padded right and below",
)
PHOTO_SIZE = GraphTensor(
    "photo_size", "int64", ("batch", 2), "width and height of each resized photo before padding, in pixels"
)
SCORES = ("batch", "references")
REFERENCE_SCORES = GraphTensor(
    "reference_scores", "float32", SCORES, "similarity of each reference to its photo"
)
REFERENCE_MASK = GraphTensor(
    "reference_mask", "bool", SCORES, "true = absent; zero references are allowed too"
)
TEXT_MASK = GraphTensor("text_mask", "bool", ("batch", "words"), "true = absent; zero tokens are allowed too")
EVIDENCE = GraphTensor(
    "evidence",
    "float32",
    ("batch", "rows", "columns"),
    "how much each cell of the padded image belongs to the photo's subject, at least 0",
)
CANDIDATES = GraphTensor(
    "candidates", "float32", ("batch", "candidates", 4), "boxes to be scored, xyxy, normalised by the photo"
)
CANDIDATE_SCORES = GraphTensor(
    "candidate_scores", "float32", ("batch", "candidates"), "larger is better; comparable within one photo"
)


def reference_tensors(
    token_shape: tuple[int, int] | None, similarity: bool, annotated: bool
) -> list[GraphTensor]:
    """Inputs of a reference encoder that reads image tokens (m, d_r), similarities, annotated crops, where it does."""
    tensors = [REFERENCE_SCORES, REFERENCE_MASK] if similarity else [REFERENCE_MASK]
    if token_shape is not None:
        tensors.insert(
            0, GraphTensor("reference_tokens", "float32", (*SCORES, *token_shape), "as the gallery has them")
        )
    if annotated:
        crops = (*SCORES, "crops")
        tensors += [
            GraphTensor("reference_crops", "float32", (*crops, 4), "cxcywh, normalised by the reference"),
            GraphTensor("reference_crop_scores", "float32", crops, "as the gallery has them"),
            GraphTensor("reference_crop_mask", "bool", crops, "true = absent"),
        ]
    return tensors


def text_tensors(width: int) -> list[GraphTensor]:
    """Inputs of a text encoder for tokens of a width."""
    return [
        GraphTensor("text_tokens", "float32", ("batch", "words", width), "as the text encoder makes them"),
        TEXT_MASK,
    ]


def prediction_tensors(number: int) -> list[GraphTensor]:
    """Boxes and scores of a head that predicts a number of crops."""
    return [
        GraphTensor(
            "boxes",
            "float32",
            ("batch", number, 4),
            "xyxy, normalised by the photo, in no order; they may reach over its edges: clip them to [0, 1]",
        ),
        GraphTensor("scores", "float32", ("batch", number), "in [0, 1], larger is better"),
    ]

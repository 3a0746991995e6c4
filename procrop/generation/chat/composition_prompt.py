"""What a model is asked about a photo's composition, and how its answer is read."""

import json
from typing import Any

from procrop.io.manifest import sha256_json

from ..analysis import PROMPT_MODES, SIDES, AnalysisError, CompositionAnalysis
from ..classes import COMPOSITION_CLASSES

_ROLE = (
    "You describe the composition of professional photographs for people who extend them beyond their borders. Say "
    "only what can be seen or what follows from it; short, concrete phrases; no opinions. Answer with one JSON object."
)
_ASKED = {
    "caption": "caption: one sentence on what the photo shows and how it is arranged.",
    "within": (
        "within: what the photo shows. elements: up to six compositional elements, most important first (objects, "
        "leading lines, areas of light and colour, where they are). subject: the salient subject that draws the eye, "
        "or an empty text if there is none. subject_box: its box as [x1, y1, x2, y2] in fractions of width and height "
        f"from the top left, or null. composition: the one that fits best of {', '.join(COMPOSITION_CLASSES)}, or null."
    ),
    "beyond": (
        "beyond: what lies outside the photo's borders if the camera stood further back. left, right, top, bottom: "
        "what continues or most likely follows on that side; never a second subject, a frame, a border or text. scene: "
        "the wider scene and its light."
    ),
}
_PARTS = {
    "caption": ("caption",),
    "within": ("caption", "within"),
    "beyond": ("caption", "beyond"),
    "both": ("caption", "within", "beyond"),
}
# what a plain "no" begins with, of models that answer in text alone
_REFUSALS = (
    "i'm sorry",
    "i am sorry",
    "sorry",
    "i can't",
    "i cannot",
    "i can not",
    "i'm unable",
    "i am unable",
    "i won't",
)


def question(mode: str, in_words: bool) -> tuple[str, str]:
    """(system text, user text) of a prompt mode.

    Args:
        mode: One of `PROMPT_MODES`; only the parts that the mode uses are asked for.
        in_words: Also show the JSON schema, for endpoints that take no ``response_format``.
    """
    text = "Describe this photo's composition.\n" + "\n".join(f"- {_ASKED[part]}" for part in _parts(mode))
    if in_words:
        text += "\nThe JSON object follows this JSON schema, without any text around it:\n" + json.dumps(
            answer_schema(mode)
        )
    return _ROLE, text


def answer_schema(mode: str) -> dict[str, Any]:
    """JSON schema of the answer, of the kind that strict structured output takes."""
    text = {"type": "string"}
    box = {"type": ["array", "null"], "items": {"type": "number"}}
    named = {"type": ["string", "null"], "enum": [*COMPOSITION_CLASSES, None]}
    elements = {"type": "array", "items": text}
    parts = {
        "caption": text,
        "within": _object(elements=elements, subject=text, subject_box=box, composition=named),
        "beyond": _object(**dict.fromkeys((*SIDES, "scene"), text)),
    }
    return _object(**{part: parts[part] for part in _parts(mode)})


def response_format(mode: str) -> dict[str, Any]:
    """The request's ``response_format``."""
    schema = {"name": "composition", "strict": True, "schema": answer_schema(mode)}
    return {"type": "json_schema", "json_schema": schema}


def prompt_version(mode: str) -> str:
    """Hex SHA-256 over what is asked: another wording is another version."""
    return sha256_json([question(mode, True), answer_schema(mode)])


def read_answer(text: str, mode: str) -> CompositionAnalysis:
    """An answer's text, the JSON object alone or with words or a code fence around it, checked.

    Returns:
        The analysis; parts that the mode does not ask for are empty.

    Raises:
        AnalysisError: There is no JSON object, or it does not follow the schema.
    """
    values = _json_object(text)
    blank = CompositionAnalysis("").as_dict()
    parts = _parts(mode)
    missing, unknown = sorted(set(parts) - set(values)), sorted(set(values) - set(parts))
    if missing or unknown:
        raise AnalysisError(f"the answer: keys missing {missing}, unknown {unknown}")
    found = CompositionAnalysis.from_dict({**blank, **values})
    if not found.caption:
        raise AnalysisError("caption is empty")
    if "beyond" in parts and found.beyond == CompositionAnalysis("").beyond:
        raise AnalysisError("beyond says nothing")
    return found


def is_plain_refusal(text: str) -> bool:
    """Whether an answer without JSON is a no in words."""
    start = text.strip().lower().replace("\u2019", "'")
    return "{" not in text and start.startswith(_REFUSALS)


def _parts(mode: str) -> tuple[str, ...]:
    if mode not in _PARTS:
        raise ValueError(f"prompt mode must be one of {PROMPT_MODES}, got {mode!r}")
    return _PARTS[mode]


def _object(**properties: dict) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _json_object(text: str) -> dict[str, Any]:
    start = text.find("{")
    if start < 0:
        raise AnalysisError("the answer holds no JSON object")
    try:
        values, _ = json.JSONDecoder().raw_decode(text, start)
        json.dumps(values, ensure_ascii=False).encode()  # a lone half of a character is no text
    except (ValueError, RecursionError) as error:
        raise AnalysisError(f"the answer is no valid JSON ({error})") from error
    if not isinstance(values, dict):
        raise AnalysisError("the answer is no JSON object")
    return values

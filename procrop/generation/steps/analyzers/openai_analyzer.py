"""Composition by a vision-language model behind an OpenAI-compatible endpoint."""

import base64
import hashlib
import io
import os
from collections.abc import Mapping, Sequence

import numpy as np
from PIL import Image

from procrop.io.manifest import sha256_json
from procrop.registry import GENERATION_STEPS

from ...analysis import AnalysisError, CompositionAnalysis
from ...chat import AnswerCache, ChatEndpoint, CostLimitReached, EndpointError, Reply, Usage
from ...chat.answer_cache import usage_of
from ...chat.composition_prompt import (
    is_plain_refusal,
    prompt_version,
    question,
    read_answer,
    response_format,
)
from ...item import CADItem
from ...step import DropItem, GenerationStep

# raise when the photo is sent otherwise, so that older answers are asked for again
_VERSION = 1
_JPEG_QUALITY = 90
_OPTIONS = {"temperature": 0, "max_tokens": 800}


@GENERATION_STEPS.register_module()
class OpenAIAnalyzer(GenerationStep):
    """Asks GPT-4, or any model that sees, for the composition within and beyond a photo.

    An answer is asked for as structured output, and in words where the endpoint takes no JSON schema. It is checked
    against the schema; one that breaks it goes back to the model with what is wrong. Answers and refusals are kept in
    ``cache``, so that no photo is paid for twice. A photo that the model refuses, or for which it finds no valid
    answer, is dropped, and asked for again in a later run only if its file in ``cache`` was deleted or, without a valid
    answer, ``max_answers`` raised. When the endpoint fails, the run stops, and goes on where it stopped when it is
    started again. The key is read from the environment for each request, and nothing holds or shows it.

    Args:
        cache: Folder of the answers, by (model, prompt version, SHA-256 of the photo, how it is asked).
        model: Name of the model at the endpoint.
        base_url: See `ChatEndpoint`.
        key_variable: Environment variable that holds the key; None for an endpoint without keys.
        mode: Which parts are asked for, one of `PROMPT_MODES`.
        image_side: Long side in pixels of the photo that is sent; smaller photos are sent as they are.
        options: Further values of the request; None asks for temperature 0 and at most 800 tokens.
        structured: Whether to send the JSON schema as ``response_format``; None sends it until the endpoint says that
            it does not take it.
        max_answers: Answers that are asked for until one follows the schema, those of earlier runs included.
        timeout, max_attempts, longest_wait, requests_per_minute: See `ChatEndpoint`; of this process alone.
        prices: Price of a million prompt tokens and of a million completion tokens, in any currency.
        cost_limit: What all answers in ``cache`` may cost, in that currency; None sets no limit.

    Raises:
        ValueError: A parameter out of range.

    Source: paper, dual-space composition understanding, and the modes of Figure 4. Its prompts are not published;
        these are ours.
    """

    makes = ("analysis",)
    per_source = True
    kept = True

    def __init__(
        self,
        cache: str | os.PathLike,
        model: str = "gpt-4o-2024-08-06",
        base_url: str = "https://api.openai.com/v1",
        key_variable: str | None = "OPENAI_API_KEY",
        mode: str = "both",
        image_side: int = 768,
        options: Mapping[str, object] | None = None,
        structured: bool | None = None,
        max_answers: int = 3,
        timeout: float = 60.0,
        max_attempts: int = 6,
        longest_wait: float = 60.0,
        requests_per_minute: float | None = None,
        prices: Sequence[float] | None = None,
        cost_limit: float | None = None,
    ) -> None:
        self._version = prompt_version(mode)
        if image_side < 32 or max_answers < 1:
            raise ValueError(
                f"image_side must be at least 32 and max_answers 1, not {image_side}, {max_answers}"
            )
        self.options = dict(_OPTIONS if options is None else options)
        if taken := {"model", "messages", "response_format", "stream", "n"} & set(self.options):
            raise ValueError(f"options must not hold {sorted(taken)}: the analyser sets them itself")
        self.prices = _checked_prices(prices, cost_limit)
        self.model, self.mode, self.image_side = model, mode, int(image_side)
        self.structured, self.max_answers, self.cost_limit = structured, max_answers, cost_limit
        self._cache = AnswerCache(cache)
        self._dearest = 0.0
        self._endpoint = ChatEndpoint(
            base_url, key_variable, timeout, max_attempts, longest_wait, requests_per_minute
        )

    @property
    def fingerprint(self) -> str:
        return sha256_json({"type": type(self).__name__, **self._asked()})

    def run(self, item: CADItem, rng: np.random.Generator) -> CADItem:
        photo = item.need("photo", type(self).__name__)
        sha256 = photo_sha256(photo)
        key = sha256_json({**self._asked(), "photo": sha256})
        entry = self._cache.get(key)
        used = Usage() if entry is None else usage_of(entry)
        if entry is None or (entry["status"] == "failed" and used.requests < self.max_answers):
            entry = self._ask(photo, key, used, {"photo": sha256, **self._asked()})
        if entry["status"] == "failed":
            said = f"no valid answer of {self.model} in {self.max_answers}: {entry['reason']}"
            raise DropItem(said, again=True)
        if entry["status"] == "refusal":
            raise DropItem(entry["reason"], again=True)
        return item.with_(analysis=CompositionAnalysis.from_dict(entry["analysis"]))

    def spent(self) -> tuple[Usage, float | None]:
        """Usage of all answers in the cache, and what they cost; None without prices."""
        usage = self._cache.usage()
        return usage, None if self.prices is None else _cost(usage, self.prices)

    def _asked(self) -> dict:
        """All that an answer depends on beside the photo; the endpoint's address is no part of it."""
        names = ("model", "mode", "image_side", "options")
        asked = {name: getattr(self, name) for name in names}
        return {**asked, "prompt": self._version, "request": _VERSION}

    def _ask(self, photo: np.ndarray, key: str, used: Usage, about: dict) -> dict:
        """Ask until an answer follows the schema, at most for what is left of ``max_answers``; each answer is on the
        disk before the next step."""
        image = _data_url(photo, self.image_side)
        earlier: list[dict] = []
        for _ in range(self.max_answers - used.requests):
            self._check_budget()
            try:
                reply = self._request(image, earlier)
            except DropItem as refusal:
                return self._cache.put(key, "refusal", used, answered_by="", reason=refusal.reason, **about)
            used += reply.usage or Usage(1)
            status, found = self._read(reply)
            entry = self._cache.put(key, status, used, answered_by=reply.model, **found, **about)
            self._note_cost(reply.usage)
            if status != "failed":
                return entry
            again = f"This does not follow the schema: {found['reason']}. Give the whole JSON object again."
            earlier = [
                {"role": "assistant", "content": reply.text or "(nothing)"},
                {"role": "user", "content": again},
            ]
        return entry

    def _request(self, image: str, earlier: list[dict]) -> Reply:
        if self.structured is not False:
            try:
                return self._endpoint.complete(
                    self._body(image, earlier) | {"response_format": response_format(self.mode)}
                )
            except EndpointError as error:
                told = f"{error.code} {error.detail}".lower()
                unknown = error.status in (400, 422) and ("response_format" in told or "json_schema" in told)
                if self.structured or not unknown:
                    raise _as_refusal(error) from None
            self.structured = False  # from here on in words
        try:
            return self._endpoint.complete(self._body(image, earlier))
        except EndpointError as error:
            raise _as_refusal(error) from None

    def _body(self, image: str, earlier: list[dict]) -> dict:
        role, text = question(self.mode, in_words=self.structured is False)
        content = [{"type": "text", "text": text}, {"type": "image_url", "image_url": {"url": image}}]
        messages = [{"role": "system", "content": role}, {"role": "user", "content": content}, *earlier]
        return {"model": self.model, "messages": messages, **self.options}

    def _read(self, reply: Reply) -> tuple[str, dict]:
        """(status, what is kept of the reply)."""
        if reply.refusal is not None or is_plain_refusal(reply.text):
            said = " ".join((reply.refusal or reply.text).split())[:200]
            return "refusal", {"reason": f"{self.model} refuses: {said}"}
        try:
            return "answer", {"analysis": read_answer(reply.text, self.mode).as_dict()}
        except AnalysisError as error:
            cut = " (cut off: raise max_tokens in options)" if reply.finish_reason == "length" else ""
            return "failed", {"reason": f"{error}{cut}"}

    def _check_budget(self) -> None:
        if self.cost_limit is None:
            return
        usage, spent = self.spent()
        if spent + self._dearest > self.cost_limit or spent >= self.cost_limit:
            raise CostLimitReached(
                f"stopped at the cost limit of {self.cost_limit:g}: {spent:.4f} are spent on {usage.requests} requests "
                f"({usage.prompt_tokens} prompt and {usage.completion_tokens} completion tokens), and one more has "
                f"cost up to {self._dearest:.4f}; answers stay in {self._cache.folder}. Raise cost_limit to go on"
            )

    def _note_cost(self, usage: Usage | None) -> None:
        if self.cost_limit is None:
            return
        if usage is None:
            raise EndpointError(
                "the endpoint does not say what an answer used, so no cost limit can be kept; the answer is kept. Give "
                "cost_limit=None to go on without a limit"
            )
        self._dearest = max(self._dearest, _cost(usage, self.prices))


def photo_sha256(photo: np.ndarray) -> str:
    """Hex SHA-256 of a photo's pixels (H, W, 3) uint8 and their shape, whatever file they came from."""
    digest = hashlib.sha256(f"{photo.dtype} {photo.shape}\n".encode())
    digest.update(np.ascontiguousarray(photo).tobytes())
    return digest.hexdigest()


def _data_url(photo: np.ndarray, side: int) -> str:
    """A photo as JPEG in a data URL, its long side at most ``side`` pixels."""
    image = Image.fromarray(photo)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=_JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def _cost(usage: Usage, prices: tuple[float, float]) -> float:
    return (usage.prompt_tokens * prices[0] + usage.completion_tokens * prices[1]) / 1e6


def _checked_prices(prices: Sequence[float] | None, cost_limit: float | None) -> tuple[float, float] | None:
    if prices is None:
        if cost_limit is not None:
            raise ValueError(
                "a cost_limit needs prices=(per million prompt tokens, per million completion tokens)"
            )
        return None
    if len(prices) != 2 or not all(price >= 0 for price in prices):
        raise ValueError(f"prices must be two numbers, not negative, not {prices}")
    if cost_limit is not None and not cost_limit > 0:
        raise ValueError(f"cost_limit must be above 0 or None, not {cost_limit}")
    return float(prices[0]), float(prices[1])


def _as_refusal(error: EndpointError) -> Exception:
    """A photo that the endpoint's own filter stops is left out; every other error stops the run."""
    if error.status == 400 and ("content_policy" in error.code or "content_filter" in error.code):
        return DropItem(f"the endpoint refuses the photo: {error.code}")
    return error

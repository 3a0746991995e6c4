"""A chat endpoint: patient with what passes by itself, clear about what does not."""

import ipaddress
import json
import logging
import random
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from .http_exchange import Outcome, post_json, read_key, server_message

_LOGGER = logging.getLogger(__name__)
_FIRST_WAIT = 1.0  # seconds; doubled with each further try
_PASSING = frozenset({408, 409, 425, 429, *range(500, 600)})
# a full quota comes as 429 too, but no waiting helps
_NO_MONEY = frozenset({"insufficient_quota", "billing_hard_limit_reached", "billing_not_active"})


class EndpointError(OSError):
    """The endpoint cannot be worked with as asked; what was answered before is kept.

    Attributes:
        status: HTTP status of the last answer; None when there was none.
        code: What the server calls the error; may be empty.
        detail: The server's message; may be empty.
    """

    def __init__(self, message: str, status: int | None = None, code: str = "", detail: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.detail = status, code, detail


class CostLimitReached(EndpointError):
    """The next request might cost more than is left; the message says what was spent."""


@dataclass(frozen=True)
class Usage:
    """What requests have used.

    Attributes:
        requests: Answered requests.
        prompt_tokens, completion_tokens: As the endpoint counts them.
    """

    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(*(a + b for a, b in zip(asdict(self).values(), asdict(other).values(), strict=True)))


@dataclass(frozen=True)
class Reply:
    """What the model answered.

    Attributes:
        text: The answer; empty when there is none.
        refusal: Why the model or the endpoint's filter refuses; None when it does not.
        finish_reason: Why the answer ends there, as the endpoint calls it.
        model: The model that answered, as the endpoint calls it.
        usage: What it took; None when the endpoint does not say.
    """

    text: str
    refusal: str | None
    finish_reason: str
    model: str
    usage: Usage | None


class ChatEndpoint:
    """Asks for chat completions, one at a time.

    Tried again, with exponential backoff and jitter and no sooner than ``Retry-After`` asks for: no connection, no
    answer in time, 408, 409, 425, 429, 5xx, and answers that are no completion. Not tried again: all other errors, and
    429 for want of money.

    Args:
        base_url: Address in front of ``/chat/completions``, e.g. ``"https://api.openai.com/v1"``.
        key_variable: Environment variable with the key; None sends none.
        timeout: Seconds that one answer may take.
        max_attempts: Tries of one request.
        longest_wait: Seconds of the longest wait between two tries.
        requests_per_minute: Requests are spread so that no more start in a minute; None: as fast as answers come.
        sleep: Waits so many seconds.

    Raises:
        ValueError: A parameter out of range; an address that holds a password or query, or that would send a key
            through the open network unencrypted.
    """

    def __init__(
        self,
        base_url: str,
        key_variable: str | None,
        timeout: float = 60.0,
        max_attempts: int = 6,
        longest_wait: float = 60.0,
        requests_per_minute: float | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        _check_url(base_url, key_variable)
        if not (timeout > 0 and longest_wait > 0 and max_attempts >= 1):
            raise ValueError("timeout and longest_wait must be above 0, and max_attempts at least 1")
        if requests_per_minute is not None and not requests_per_minute > 0:
            raise ValueError(f"requests_per_minute must be above 0 or None, not {requests_per_minute}")
        self.url = base_url.rstrip("/") + "/chat/completions"
        self.key_variable, self.timeout = key_variable, timeout
        self.max_attempts, self.longest_wait = max_attempts, longest_wait
        self._pause = 0.0 if requests_per_minute is None else 60 / requests_per_minute
        self._next_start = 0.0
        self._sleep = sleep

    def complete(self, body: dict) -> Reply:
        """Ask for one completion.

        Args:
            body: The request's JSON: model, messages and so on.

        Raises:
            EndpointError: The endpoint refuses the request or the key, or did not answer after all tries.
            ValueError: There is no key.
        """
        key = read_key(self.key_variable)
        for attempt in range(1, self.max_attempts + 1):
            self._take_turn()
            outcome = post_json(self.url, body, key, self.timeout)
            if outcome.status == 200 and (reply := _reply(outcome.body)) is not None:
                return reply
            problem = self._passing_problem(outcome)
            if attempt == self.max_attempts:
                raise EndpointError(
                    f"{self.url}: {problem}, {attempt} tries; try again later", outcome.status
                )
            wait = self._wait(attempt, outcome.headers.get("retry-after"), problem)
            _LOGGER.warning("%s: %s; try %d in %.1f s", self.url, problem, attempt + 1, wait)
            self._sleep(wait)
        raise AssertionError("unreachable")

    def _take_turn(self) -> None:
        now = time.monotonic()
        if now < self._next_start:
            self._sleep(self._next_start - now)
        self._next_start = max(now, self._next_start) + self._pause

    def _passing_problem(self, outcome: Outcome) -> str:
        """What went wrong, when it may pass by itself.

        Raises:
            EndpointError: It will not.
        """
        if outcome.status is None:
            if outcome.passing:
                return outcome.problem
            raise EndpointError(f"{self.url}: {outcome.problem}")
        if outcome.status == 200:
            return "answers that are no chat completion"
        code, detail = server_message(outcome.body)
        if outcome.status in _PASSING and code not in _NO_MONEY:
            return f"status {outcome.status}" + (f" ({detail})" if detail else "")
        status = outcome.status
        if status in (401, 403):
            # servers repeat parts of the key here
            whose = f"the key in {self.key_variable}" if self.key_variable else "requests without a key"
            raise EndpointError(f"{self.url}: status {status}: the endpoint refuses {whose}", status, code)
        if 300 <= status < 400:
            detail = "the endpoint has moved; give its new address as base_url"
        raise EndpointError(
            f"{self.url}: status {status}" + (f": {detail}" if detail else ""), status, code, detail
        )

    def _wait(self, attempt: int, retry_after: str | None, problem: str) -> float:
        wait = min(_FIRST_WAIT * 2 ** (attempt - 1), self.longest_wait) * random.uniform(0.5, 1.0)
        asked = _seconds(retry_after)
        if asked is None:
            return wait
        if asked > self.longest_wait:
            raise EndpointError(
                f"{self.url}: {problem}, and the endpoint asks to wait {asked:.0f} seconds; run again later, or raise "
                f"longest_wait ({self.longest_wait:g})"
            )
        return asked + min(wait, 1.0)


def _check_url(base_url: str, key_variable: str | None) -> None:
    parts = urlsplit(base_url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("base_url must be like https://api.openai.com/v1")
    # the address is shown in messages; it is not repeated here
    if parts.username or parts.password or parts.query or parts.fragment:
        raise ValueError(
            "base_url must hold no user, password or query: keys belong into an environment variable"
        )
    if parts.scheme == "http" and key_variable is not None and not _near(parts.hostname):
        raise ValueError(
            f"base_url {base_url} would send the key unencrypted: use https, or give key_variable=None for an endpoint "
            "without keys"
        )


def _near(host: str) -> bool:
    """Whether a host is this machine or in a private network."""
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"


def _reply(body: bytes) -> Reply | None:
    """The first choice of a chat completion; None when it is none."""
    try:
        values = json.loads(body)
        choice = values["choices"][0]
        message = choice["message"]
        text, refusal = message.get("content"), message.get("refusal")
        finish = str(choice.get("finish_reason") or "")
        if not isinstance(text, str | None) or not isinstance(refusal, str | None):
            return None
        if finish == "content_filter" and not refusal:
            refusal = "the endpoint's content filter"
        return Reply(text or "", refusal or None, finish, str(values.get("model") or ""), _usage(values))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        return None


def _usage(values: dict) -> Usage | None:
    usage = values.get("usage")
    if not isinstance(usage, dict):
        return None
    tokens = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    if not all(isinstance(n, int) and not isinstance(n, bool) and n >= 0 for n in tokens):
        return None
    return Usage(1, *tokens)


def _seconds(retry_after: str | None) -> float | None:
    """Seconds of a ``Retry-After`` header, which gives them or a date; None when it gives neither."""
    if retry_after is None:
        return None
    try:
        return max(0.0, float(retry_after))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (ValueError, TypeError):
        return None

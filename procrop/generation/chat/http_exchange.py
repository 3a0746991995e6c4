"""One POST of JSON and its answer, within a time limit, and without the key in anything that comes out."""

import http.client
import json
import os
import re
import ssl
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field

_CHUNK, _LARGEST = 1 << 16, 8 << 20
_HIDDEN = "[key]"
# keys that a server repeats, whole or masked in parts
_KEY_LIKE = re.compile(r"(?i)\b(sk-|bearer\s+)\S+")


@dataclass(frozen=True)
class Outcome:
    """What came of a request.

    Attributes:
        status: HTTP status; None when there was no answer.
        body: The answer, at most 8 MiB, the key taken out.
        headers: Its headers, names in lower case.
        problem: Why there was no answer, in words.
        passing: Whether that may pass by itself.
    """

    status: int | None
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    problem: str = ""
    passing: bool = False


def read_key(variable: str | None) -> str | None:
    """The key in an environment variable; it is read anew for each request and kept nowhere.

    Raises:
        ValueError: The variable is not set, or holds what cannot be a key.
    """
    if variable is None:
        return None
    key = os.environ.get(variable, "").strip()
    if not key:
        raise ValueError(
            f"the environment variable {variable} holds no key: set it, name another one by key_variable, or give "
            "key_variable=None for an endpoint without keys"
        )
    # http.client would repeat the value in its own message
    if not key.isascii() or not key.isprintable() or " " in key:
        raise ValueError(
            f"the environment variable {variable} holds characters that no key has (blanks, line ends)"
        )
    return key


def post_json(url: str, body: dict, key: str | None, timeout: float) -> Outcome:
    """Send ``body`` as JSON and read the answer; redirects are not followed.

    Args:
        url: Where to.
        body: JSON values.
        key: Sent as bearer token; None sends none.
        timeout: Seconds until the answer begins, and until it ends.
    """
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")
    # a redirect would carry the key to another host
    opener = urllib.request.build_opener(_NoRedirect)
    deadline = time.monotonic() + timeout
    try:
        with opener.open(request, timeout=timeout) as response:
            return _read(response, response.status, key, deadline)
    except urllib.error.HTTPError as error:
        with error:
            return _read(error, error.code, key, deadline)
    except TimeoutError:
        return Outcome(None, problem=f"no answer within {timeout:g} seconds", passing=True)
    except urllib.error.URLError as error:
        return _unreachable(error.reason, timeout, key)
    except (OSError, http.client.HTTPException) as error:
        return Outcome(None, problem=_plain(f"{type(error).__name__}: {error}", key), passing=True)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object) -> None:
        return None


def _read(response: http.client.HTTPResponse, status: int, key: str | None, deadline: float) -> Outcome:
    parts, size = [], 0
    try:
        # piece by piece: a server that sends a byte now and then would never run into the socket's own timeout
        while chunk := response.read1(_CHUNK):
            parts.append(chunk)
            size += len(chunk)
            if size > _LARGEST:
                return Outcome(None, problem=f"an answer of over {_LARGEST >> 20} MiB", passing=True)
            if time.monotonic() > deadline:
                return Outcome(None, problem="the answer had not ended at the time limit", passing=True)
    except (OSError, http.client.HTTPException) as error:
        return Outcome(None, problem=f"the answer broke off ({type(error).__name__})", passing=True)
    expected = response.headers.get("Content-Length")
    if expected is not None and expected.isdigit() and size < int(expected):
        return Outcome(None, problem=f"the answer broke off after {size} of {expected} bytes", passing=True)
    body = b"".join(parts)
    if key is not None:
        body = body.replace(key.encode(), _HIDDEN.encode())
    return Outcome(status, body, {name.lower(): value for name, value in response.headers.items()})


def _unreachable(reason: object, timeout: float, key: str | None) -> Outcome:
    if isinstance(reason, TimeoutError):
        return Outcome(None, problem=f"no connection within {timeout:g} seconds", passing=True)
    passing = not isinstance(reason, ssl.SSLCertVerificationError)
    return Outcome(None, problem=_plain(f"cannot be reached ({reason})", key), passing=passing)


def server_message(body: bytes) -> tuple[str, str]:
    """(code, message) of an error's body; both may be empty. The message is one line without anything like a key."""
    text = body.decode("utf-8", "replace")
    try:
        error = json.loads(text)
    except ValueError:
        return "", _plain(text, None)
    error = error.get("error", error) if isinstance(error, dict) else text
    if not isinstance(error, dict):
        return "", _plain(str(error), None)
    return str(error.get("code") or error.get("type") or ""), _plain(str(error.get("message") or ""), None)


def _plain(text: str, key: str | None) -> str:
    if key is not None:
        text = text.replace(key, _HIDDEN)
    return " ".join(_KEY_LIKE.sub(_HIDDEN, text).split())[:300]

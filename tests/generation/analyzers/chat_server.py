"""An OpenAI-compatible endpoint in a thread, which answers as its script says and remembers what it was asked."""

import json
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

from loopback import running

KEY = "sk-test-0123456789abcdefSECRET"


@dataclass
class Scripted:
    """One answer: status, JSON or raw bytes, headers, seconds to wait before it."""

    body: object = None
    status: int = 200
    headers: dict = field(default_factory=dict)
    delay: float = 0.0
    claimed_length: int | None = None


def completion(content, usage=(1000, 100), finish="stop", refusal=None):
    """A chat completion whose message is ``content``; objects are written as JSON."""
    text = content if isinstance(content, str) or content is None else json.dumps(content)
    body = {
        "model": "served-model",
        "choices": [
            {
                "message": {"role": "assistant", "content": text, "refusal": refusal},
                "finish_reason": finish,
            }
        ],
    }
    if usage is not None:
        body["usage"] = {"prompt_tokens": usage[0], "completion_tokens": usage[1]}
    return Scripted(body)


def failure(status, code="", message="", **more):
    """An error as OpenAI words it."""
    return Scripted({"error": {"code": code, "message": message}}, status, **more)


class ChatServer:
    """Answers in the order of ``script``; the last one is repeated."""

    def __init__(self, *script):
        self.script, self.asked = list(script), []
        self.url = None

    def handler(self):
        """The class that answers requests."""
        owner = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                request = {"path": self.path, "key": self.headers.get("Authorization"), "body": body}
                owner.asked.append({**request, "time": time.monotonic()})
                answer = owner.script.pop(0) if len(owner.script) > 1 else owner.script[0]
                time.sleep(answer.delay)
                data = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                try:
                    self.send_response(answer.status)
                    for name, value in answer.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(answer.claimed_length or len(data)))
                    self.end_headers()
                    self.wfile.write(data)
                except (BrokenPipeError, ConnectionResetError):
                    pass  # the client has given up, as some tests want

            def do_GET(self):
                owner.asked.append(
                    {"path": self.path, "key": self.headers.get("Authorization"), "body": None}
                )
                self.send_error(404)

            def log_message(self, *args):
                pass

        return Handler


@contextmanager
def serving(*script):
    """A running `ChatServer`."""
    server = ChatServer(*script)
    with running(server.handler()) as url:
        server.url = f"{url}/v1"
        yield server

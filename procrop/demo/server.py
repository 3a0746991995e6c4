"""The web server of the page: gradio's, with addresses for files, and headers that keep the page to this machine."""

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from procrop.demo.demo_session import SessionEndedError
from procrop.demo.panel_style import page_style
from procrop.demo.session_store import SessionStore
from procrop.io import PhotoError

if TYPE_CHECKING:
    from fastapi import FastAPI
    from fastapi.responses import Response

# the browser itself sees to it that nothing is fetched from elsewhere; gradio needs inline scripts and eval
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; "
    "form-action 'none'; object-src 'none'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
_CHUNK = 2**18  # bytes


def keep_gradio_quiet(store: SessionStore) -> None:
    """Set what gradio reads from the environment: no word to its makers, uploads into the store's folder.

    It belongs before gradio is imported.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_TEMP_DIR"] = str(store.uploads)


def build_app(store: SessionStore) -> "FastAPI":
    """The page as an application; the store is closed when it ends."""
    keep_gradio_quiet(store)
    import gradio as gr
    from fastapi import FastAPI

    from procrop.demo.page import build_page

    @asynccontextmanager
    async def life(_: FastAPI) -> Any:  # noqa: ANN401
        store.start()
        try:
            yield
        finally:
            store.close()

    app = FastAPI(lifespan=life, openapi_url=None, docs_url=None, redoc_url=None)
    _add_file_routes(app, store)
    app.add_middleware(_WithHeaders)
    fonts = ["system-ui", "sans-serif"], ["ui-monospace", "monospace"]
    return gr.mount_gradio_app(
        app,
        build_page(store),
        path="/",
        theme=gr.themes.Default(font=fonts[0], font_mono=fonts[1]),
        css=page_style(),
        max_file_size=store.limits.upload_bytes,
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        mcp_server=False,
        enable_monitoring=False,
        pwa=False,
    )


def _add_file_routes(app: "FastAPI", store: SessionStore) -> None:
    @app.get("/crops/{token}/all.zip")
    def archive(token: str):  # noqa: ANN202 (FastAPI takes an annotation for a model of the answer)
        return _file_of(store, token, lambda session: session.write_archive())

    @app.get("/crops/{token}/{photo}/{number}/{rank}")
    def crop(token: str, photo: str, number: int, rank: int):  # noqa: ANN202
        return _file_of(store, token, lambda session: session.write_crop(photo, number, rank))


def _file_of(store: SessionStore, token: str, write: Any) -> "Response":  # noqa: ANN401
    """Have a session write a file, and send it; it is removed on the way."""
    from fastapi.responses import PlainTextResponse, StreamingResponse

    session = store.of_token(token)
    if session is None:
        return PlainTextResponse("this session is over; open the page again", 404)
    try:
        path = write(session)
    except SessionEndedError as error:
        return PlainTextResponse(str(error), 410)
    except PhotoError as error:
        return PlainTextResponse(f"the crop cannot be written: {error.reason}", 422)
    headers = {
        "content-disposition": f"attachment; filename*=UTF-8''{quote(path.name)}",
        "content-length": str(path.stat().st_size),
        "cache-control": "no-store",
    }
    return StreamingResponse(_sent(path), media_type="application/octet-stream", headers=headers)


def _sent(path: Path) -> Iterator[bytes]:
    try:
        with open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                yield chunk
    finally:
        shutil.rmtree(path.parent, ignore_errors=True)


class _WithHeaders:
    """Adds headers to every answer; below frameworks, so that streams stay streams."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401
        async def send_with_headers(message: Any) -> None:  # noqa: ANN401
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *own]}
            await send(message)

        await self._app(scope, receive, send_with_headers)


def open_socket(host: str, port: int) -> socket.socket:
    """Take an address, before anything that takes long.

    Raises:
        ValueError: it is in use, or not one of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise ValueError(f"{host}:{port} cannot be listened on ({error}); choose another --port") from error


def serve(store: SessionStore, listener: socket.socket) -> None:
    """Show the page to everybody who asks, until the process is told to stop."""
    import uvicorn

    config = uvicorn.Config(
        build_app(store), log_level="warning", access_log=False, timeout_graceful_shutdown=2
    )
    uvicorn.Server(config).run(sockets=[listener])

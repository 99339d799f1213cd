"""What the page's paths answer."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from edge_fer.status import Status
from edge_fer.web.history import History
from edge_fer.web.hub import Hub
from edge_fer.web.metrics import CONTENT_TYPE, prometheus

MOST_CLIENTS = 16
"""Clients of the stream at a time, and as many of the events."""

_PAGE = Path(__file__).parent / "page"
_FILES = {
    "/": ("index.html", "text/html"),
    "/style.css": ("style.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
    "/faces.js": ("faces.js", "text/javascript"),
    "/timeline.js": ("timeline.js", "text/javascript"),
    "/icon.svg": ("icon.svg", "image/svg+xml"),
}
_BOUNDARY = "edge-fer-frame"
_TICK = 1.0


class Pages:
    """The paths, and what they know.

    Args:
        hub: Where the newest reading is.
        history: What was read in the last minutes.
        status: How the run is doing.
        stall: Seconds without a reading after which the run is not well.
    """

    def __init__(self, hub: Hub, history: History, status: Status, stall: float) -> None:
        self._hub, self._history, self._status, self._stall = hub, history, status, stall
        self._clients = {"/stream": 0, "/events": 0}
        self._facts: tuple[float, dict[str, Any]] = (0.0, {})

    def app(self) -> Starlette:
        """The application that answers them."""
        paths: dict[str, Callable[[Request], Response]] = {
            "/stream": self.stream,
            "/events": self.events,
            "/snapshot": self.snapshot,
            "/status": self.status,
            "/healthz": self.healthz,
            "/metrics": self.metrics,
        }
        routes = [Route(path, _file(*file)) for path, file in _FILES.items()]
        # Asynchronous, because Starlette would give each plain function a thread.
        routes += [Route(path, _answer(function)) for path, function in paths.items()]
        app = Starlette(routes=routes)
        app.router.redirect_slashes = False
        return app

    def snapshot(self, _request: Request) -> Response:
        """The last reading."""
        reading = self._hub.newest
        if reading is None:
            return JSONResponse({"error": "no frame has been read yet"}, 503)
        return JSONResponse(reading.to_dict())

    def status(self, _request: Request) -> Response:
        """How the run is doing."""
        return JSONResponse(self._facts_now())

    def healthz(self, _request: Request) -> Response:
        """Whether readings come, for watchdogs."""
        well = self._status.healthy(self._stall)
        return PlainTextResponse("ok\n" if well else "no readings\n", 200 if well else 503)

    def metrics(self, _request: Request) -> Response:
        """The same for Prometheus."""
        healthy, clients = self._status.healthy(self._stall), sum(self._clients.values())
        text = prometheus(self._status, healthy=healthy, clients=clients)
        return Response(text, media_type=CONTENT_TYPE)

    def stream(self, request: Request) -> Response:
        """The annotated frames."""
        kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
        return self._endless(request, self._parts(), kind)

    def events(self, request: Request) -> Response:
        """A reading as soon as there is one, and the status once a second.

        With ``?history`` the last minutes come first.
        """
        past = "history" in request.query_params
        return self._endless(request, self._lines(past), "text/event-stream")

    def _endless(self, request: Request, content: AsyncIterator[bytes], kind: str) -> Response:
        if request.method == "HEAD":
            return Response(media_type=kind)
        path = request.url.path
        if self._clients[path] >= MOST_CLIENTS:
            text = f"{MOST_CLIENTS} others are watching already.\n"
            return PlainTextResponse(text, 503, {"Retry-After": "5"})
        return _Endless(content, kind, self._clients, path)

    async def _parts(self) -> AsyncIterator[bytes]:
        number = 0
        # Chromium shows a part when it has seen the head of the next one. So that goes out with it,
        # and cannot tell the length of what is not there yet: else all would be a frame late.
        head = f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\n\r\n".encode()
        yield head
        while (picture := await self._hub.picture(number)) is not None:
            number, data = picture
            yield b"".join((data, b"\r\n", head))

    async def _lines(self, past: bool) -> AsyncIterator[bytes]:
        number, tick = 0, time.monotonic()
        if past:
            yield b"event: history\ndata: " + _json(self._history.to_dict()) + b"\n\n"
        while not self._hub.closed:
            try:
                async with asyncio.timeout(max(tick - time.monotonic(), 0.0)):
                    newer = await self._hub.reading(number)
                if newer is not None:
                    number = newer[0]
                    yield b"data: " + _json(newer[1].to_dict()) + b"\n\n"
            except TimeoutError:
                pass
            if time.monotonic() >= tick:
                tick = time.monotonic() + _TICK
                yield b"event: status\ndata: " + _json(self._facts_now()) + b"\n\n"

    def _facts_now(self) -> dict[str, Any]:
        """The status, made at most a few times a second however many ask for it."""
        now = time.monotonic()
        if now - self._facts[0] > _TICK / 4:
            self._facts = (now, self._status.to_dict())
        return self._facts[1]


class _Endless(StreamingResponse):
    """An answer without an end, whose client is counted while it stays."""

    def __init__(
        self, content: AsyncIterator[bytes], kind: str, clients: dict[str, int], path: str
    ) -> None:
        super().__init__(content, media_type=None, headers={"Content-Type": kind})
        self._clients, self._path = clients, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._clients[self._path] += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._clients[self._path] -= 1


def _answer(function: Callable[[Request], Response]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        return function(request)

    return answer


def _file(name: str, kind: str) -> Callable[[Request], Any]:
    content = (_PAGE / name).read_bytes()

    async def answer(_request: Request) -> Response:
        return Response(content, media_type=kind)

    return answer


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()

"""The server: uvicorn in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

log = logging.getLogger(__name__)

_MOST_CONNECTIONS = 128
_REQUEST_WITHIN = 10.0
_POLITE, _FIRM = 0.4, 0.5


class Server(threading.Thread):
    """Serves an application until it is stopped.

    Args:
        app: What answers.
        listener: The socket that listens; it is closed at the end.
    """

    def __init__(self, app: ASGIApp, listener: socket.socket) -> None:
        super().__init__(name="edge-fer-web", daemon=True)
        self._listener = listener
        self._loop: asyncio.AbstractEventLoop | None = None
        config = uvicorn.Config(
            app,
            loop="asyncio",
            http=_Connection,
            ws="none",
            lifespan="off",
            access_log=False,  # addresses may hold a token
            log_config=None,
            log_level="error",  # what strangers send is no news
            proxy_headers=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)

    def run(self) -> None:
        """Serve; called in the thread."""
        try:
            # In another thread than the main one uvicorn leaves the signals alone.
            asyncio.run(self._serve())
        except Exception as e:  # the page may end, but not the pipeline
            log.error("the web page ended: %s", e)
        finally:
            self._listener.close()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        await self._server.serve(sockets=[self._listener])

    def stop(self) -> None:
        """End within a second: at first politely, then by breaking the connections off."""
        self._server.should_exit = True
        self.join(_POLITE)
        if self.is_alive() and self._loop is not None:
            self._server.force_exit = True
            with suppress(RuntimeError):  # it ended just now
                self._loop.call_soon_threadsafe(self._break_off)
            self.join(_FIRM)

    def _break_off(self) -> None:
        for connection in list(self._server.server_state.connections):
            connection.transport.abort()


class _Connection(H11Protocol):
    """A connection that neither queues what its client does not read nor waits for ever."""

    def connection_made(  # type: ignore[override]
        self, transport: asyncio.Transport
    ) -> None:
        super().connection_made(transport)
        # With no room to wait in, what is sent next is what is newest then.
        transport.set_write_buffer_limits(high=0)
        if len(self.connections) > _MOST_CONNECTIONS:
            transport.abort()
        else:
            self.loop.call_later(_REQUEST_WITHIN, self._asked)

    def _asked(self) -> None:
        if self.cycle is None:
            self.transport.abort()

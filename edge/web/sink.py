"""The sink that shows readings on the web page."""

from __future__ import annotations

import secrets
from typing import Self

from edge_fer.errors import InputError
from edge_fer.frame import Reading
from edge_fer.packages import require
from edge_fer.status import Status
from edge_fer.web.address import Address, is_loopback, listen, parse_address, public_host
from edge_fer.web.history import History
from edge_fer.web.hub import Hub


class WebSink:
    """Serves the page from entering to leaving; writing never waits and never fails.

    Args:
        address: ``[HOST:]PORT`` to listen on; without a host only this machine can reach it.
        status: How the run is doing.
        stall: Seconds without a reading after which ``/healthz`` says that the run is not well.
        token: What everybody has to know. None asks for none on loopback, and makes one elsewhere.

    Raises:
        InputError: The address is none, or the token cannot stand in a header.
        MissingPackageError: Starlette or uvicorn is not installed.

    Attributes:
        token: The one given or made; None where none is asked for.
        url: Where the page is, once it is entered.
    """

    def __init__(
        self, address: str, status: Status, *, stall: float = 5.0, token: str | None = None
    ) -> None:
        require("the web page", "starlette", "uvicorn")
        self._address = parse_address(address)
        if token is not None and not (token.isascii() and token.isprintable() and token.split()):
            raise InputError("--token: give printable ASCII characters, not only spaces")
        self.token = token.strip() if token is not None else None
        self.url = ""
        self._status, self._stall = status, stall
        self._hub, self._history = Hub(), History()

    def __enter__(self) -> Self:
        """Begin to serve.

        Raises:
            InputError: The port is taken, or the address is not this machine's.
        """
        from edge_fer.web.app import Pages
        from edge_fer.web.security import Guard
        from edge_fer.web.server import Server

        listener = listen(self._address)
        loopback, port = is_loopback(listener), listener.getsockname()[1]
        if self.token is None and not loopback:
            self.token = secrets.token_urlsafe(24)
        host = self._address.host if loopback else public_host(listener)
        self.url = f"http://{Address(host, port)}/"
        pages = Pages(self._hub, self._history, self._status, self._stall)
        self._server = Server(Guard(pages.app(), self.token, loopback, port), listener)
        self._server.start()
        return self

    def write(self, reading: Reading) -> None:
        """Make a reading the one that is shown.

        One that failed is not: its faces are not known, and so could not be blurred.
        """
        if not reading.failed:
            self._history.add(reading)
            self._hub.put(reading)

    def __exit__(self, *_: object) -> None:
        self._hub.close()
        self._server.stop()

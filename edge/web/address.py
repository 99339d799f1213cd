"""Where the page is served: addresses, and the socket that listens there."""

from __future__ import annotations

import errno
import ipaddress
import socket
import sys
from dataclasses import dataclass

from edge_fer.errors import InputError

LOOPBACK = "127.0.0.1"

_QUEUE = 64
_SEND_BUFFER = 64 * 1024
_UNREAD = 10_000
_REASONS = {
    errno.EADDRINUSE: "another program listens there; name another port",
    errno.EACCES: "not permitted; name a port from 1024",
    errno.EADDRNOTAVAIL: "it is no address of this machine",
}


@dataclass(frozen=True)
class Address:
    """Where to listen.

    Attributes:
        host: Name or number of a network address of this machine.
        port: TCP port; 0 takes a free one.
    """

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Read ``[HOST:]PORT``; without a host only this machine can reach it.

    Args:
        text: ``"8080"``, ``"0.0.0.0:8080"``, ``"[::1]:8080"``, ``"raspberrypi.local:8080"``.

    Raises:
        InputError: It is no such thing.
    """
    host, colon, port = text.strip().rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    bad = (colon and not host) or (":" in host and not text.strip().startswith("["))
    if bad or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise InputError(f"--serve {text}: give PORT or HOST:PORT, e.g. 8080 or 0.0.0.0:8080")
    return Address(host or LOOPBACK, int(port))


def listen(address: Address) -> socket.socket:
    """A socket that listens there.

    Its settings pass to every connection. The small send buffer keeps what a slow client has still
    to get short and so recent, and the kernel drops who reads nothing for ten seconds.

    Args:
        address: Where.

    Raises:
        InputError: There is no such address, or the port is taken.
    """
    kind = socket.SOCK_STREAM
    try:
        family, _, _, _, place = socket.getaddrinfo(
            address.host, address.port, type=kind, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError) as e:
        raise InputError(f"--serve {address}: {address.host} is no host that is known here") from e
    listener = socket.socket(family, kind)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if sys.platform == "linux":
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNREAD)
        listener.bind(place)
        listener.listen(_QUEUE)
    except OSError as e:
        listener.close()
        reason = _REASONS.get(e.errno or 0, e.strerror or str(e))
        raise InputError(f"--serve {address}: {reason}") from e
    return listener


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0].partition("%")[0]).is_loopback


def public_host(listener: socket.socket) -> str:
    """The host to write into an address that others on the network open."""
    host = str(listener.getsockname()[0])
    if not ipaddress.ip_address(host.partition("%")[0]).is_unspecified:
        return host
    # Nothing is sent: connecting a datagram socket only chooses the address to send from.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return socket.gethostname()

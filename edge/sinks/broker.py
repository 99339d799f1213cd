"""Where an MQTT broker is, and who we are to it."""

from __future__ import annotations

import os
import re
import socket
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from edge_fer.errors import InputError

PASSWORD_VARIABLE = "EDGE_FER_MQTT_PASSWORD"
"""Environment variable with the password: a command line can be read by every user."""

_PORTS = {"mqtt": 1883, "mqtts": 8883}
_LONGEST = 200
_FORM = "mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT][/PREFIX]"


@dataclass(frozen=True)
class Broker:
    """An MQTT broker.

    Attributes:
        host: Its name or address.
        port: Its TCP port.
        tls: Whether the connection is encrypted, and its certificate checked.
        user: User name; None without one.
        password: Kept out of ``repr``, so that no log shows it.
        prefix: What every topic starts with, without a slash at the end.
    """

    host: str
    port: int
    tls: bool = False
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    prefix: str = "edge-fer"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def topic(self, name: str) -> str:
        """The topic of that name under the prefix."""
        return f"{self.prefix}/{name}"


def parse_broker(url: str, hostname: str | None = None) -> Broker:
    """Read ``mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT][/PREFIX]``.

    User, password and prefix may be percent-encoded. A user without a password gets the one of the
    environment variable ``EDGE_FER_MQTT_PASSWORD``, where that is set.

    Args:
        url: The address.
        hostname: Of this machine, for the prefix where the address has none; asked for if None.

    Raises:
        InputError: It is no such address. The message shows neither user nor password.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        host.encode() if ":" in host else host.encode("idna")
    except ValueError:  # not chained: its message may hold a part of the password
        raise InputError(
            f"--mqtt: the host or port cannot be read; write {_FORM}, with %2F for a / and %40 for"
            " an @ in the password"
        ) from None
    if parts.scheme not in _PORTS:
        raise InputError(f"--mqtt: the address must start with mqtt:// or mqtts://: {_FORM}")
    if not re.fullmatch(r"[^\s/?#@%\\]+", host) or not host.isprintable() or port == 0:
        raise InputError(f"--mqtt: there is no host, or no such port: {_FORM}")
    if parts.query or parts.fragment:
        raise InputError(f"--mqtt: ? and # cannot be in the address as they are: {_FORM}")
    user, password = _decoded(parts.username), _decoded(parts.password)
    if password is not None and not user:
        raise InputError("--mqtt: MQTT takes no password without a user")
    if user and password is None:
        password = _sendable(os.environ.get(PASSWORD_VARIABLE), PASSWORD_VARIABLE)
    prefix = (_decoded(parts.path) or "").strip("/")
    if not prefix:
        name = socket.gethostname() if hostname is None else hostname
        prefix = f"edge-fer/{re.sub('[^a-zA-Z0-9_.-]', '-', name) or 'device'}"
    if set(prefix) & set("+#") or not prefix.isprintable() or len(prefix) > _LONGEST:
        raise InputError(f"--mqtt: a prefix has no +, # or control characters: {_FORM}")
    return Broker(
        host, port or _PORTS[parts.scheme], parts.scheme == "mqtts", user or None, password, prefix
    )


def _decoded(text: str | None) -> str | None:
    if text is None:
        return None
    try:
        return _sendable(unquote(text, errors="strict"), "--mqtt")
    except UnicodeDecodeError:
        raise InputError("--mqtt: what is percent-encoded must be UTF-8") from None


def _sendable(text: str | None, where: str) -> str | None:
    """The same, if MQTT can carry it."""
    try:
        if text is not None and (len(text.encode()) > 60_000 or "\0" in text):
            raise InputError(f"{where}: too long, or with a zero byte")
    except UnicodeEncodeError:
        raise InputError(f"{where}: not UTF-8") from None
    return text

"""Readings to an MQTT broker, and through it to Home Assistant."""

from __future__ import annotations

import json
import logging
import ssl
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Self

from edge_fer import __version__
from edge_fer.board import read_board
from edge_fer.packages import require
from edge_fer.sinks.broker import parse_broker
from edge_fer.sinks.homeassistant import discovery

if TYPE_CHECKING:
    from paho.mqtt.client import Client, MQTTMessageInfo

    from edge_fer.frame import Reading

log = logging.getLogger(__name__)

ONLINE, OFFLINE = "online", "offline"

_KEEPALIVE = 30
_ANSWER = 10.0
_STATUS = 10.0
_STEADY = 30.0
_POLL = 0.05
_LAST = 2.0


class _LostError(Exception):
    """The broker is away, or does not want us; the text says why."""


class Mqtt:
    """Publishes the newest reading, now and then and whenever what is seen changes.

    A thread of its own does all the work, so that a broker that is away, slow or silent holds
    nothing up. It keeps the newest reading only; while the broker is away older ones are lost.

    Topics under the prefix: ``state``, a reading as JSON; ``status``, how the run is doing, every
    ten seconds; ``availability``, ``online`` or ``offline`` (retained; the broker says the latter
    where this process dies).

    Args:
        url: ``mqtt[s]://[USER[:PASSWORD]@]HOST[:PORT][/PREFIX]``; see ``broker.parse_broker``.
        labels: The classifier's labels.
        status: Gives how the run is doing, as plain data.
        every: Seconds between two states while nothing changes.
        people: Whether faces have people's names.
        on_event: Told in a line when the broker is lost and found again; logs a warning if None.
        waits: Seconds before connecting again: at first, and at most. Each wait is twice the last.

    Attributes:
        broker: Where it publishes to.
        connected: Whether the broker is there.

    Raises:
        InputError: The address cannot be read.
        MissingPackageError: paho-mqtt is not installed.
    """

    def __init__(
        self,
        url: str,
        labels: Sequence[str],
        *,
        status: Callable[[], dict[str, Any]] | None = None,
        every: float = 1.0,
        people: bool = False,
        on_event: Callable[[str], None] | None = None,
        waits: tuple[float, float] = (1.0, 60.0),
    ) -> None:
        self.broker = parse_broker(url)
        require("--mqtt", "paho")
        self._tls = ssl.create_default_context() if self.broker.tls else None
        self._status, self._every, self._waits = status, every, waits
        self._say = on_event or (lambda text: log.warning("%s", text))
        board = read_board()
        self._discovery = discovery(
            self.broker.prefix,
            labels,
            version=__version__,
            board=board.model,
            temperature=board.temperature is not None,
            every=every,
            people=people,
        )
        # Two processes on one machine must not push each other out: the broker knows us by this.
        self._id = f"edge-fer-{uuid.uuid4().hex[:12]}"
        self._newest: Reading | None = None
        self._sent: Reading | None = None
        self._sent_at = self._status_at = self._since = 0.0
        self._told: set[str] = set()
        self._wait = waits[0]
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, name="edge-fer-mqtt", daemon=True)
        self.connected = False

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        # Where the broker does not answer the thread is left behind; it ends with the process.
        self._thread.join(_LAST)

    def write(self, reading: Reading) -> None:
        """Let this be the newest reading; never waits and never fails.

        A frame that could not be read tells of nobody's going: it is left out.
        """
        if not reading.failed:
            self._newest = reading

    def _run(self) -> None:
        while True:
            reason = self._serve()
            ended = self._end.is_set()
            if reason and reason not in self._told:
                self._told.add(reason)
                self._say(f"MQTT broker {self.broker}: {reason}{'' if ended else '; trying again'}")
            if ended or self._end.wait(self._wait):
                return
            self._wait = min(2 * self._wait, self._waits[1])

    def _serve(self) -> str:
        """Connect, and publish until the run ends or something goes wrong; gives what that was."""
        client = self._make_client()
        try:
            self._connect(client)
            self._publish_until_the_end(client)
        except OSError as e:
            return e.strerror or str(e)
        except Exception as e:  # whatever the network or paho comes up with, the run goes on
            return str(e) or type(e).__name__
        finally:
            # One that takes us and drops us again and again is not asked every second.
            if self.connected and time.monotonic() - self._since > _STEADY:
                self._wait = self._waits[0]
            self.connected = False
        return ""

    def _make_client(self) -> Client:
        """A client for one connection: what an old one could not deliver goes with it."""
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion

        client = Client(CallbackAPIVersion.VERSION2, self._id)
        if self.broker.user is not None:
            client.username_pw_set(self.broker.user, self.broker.password)
        if self._tls is not None:
            client.tls_set_context(self._tls)
        client.will_set(self.broker.topic("availability"), OFFLINE, qos=1, retain=True)
        return client

    def _connect(self, client: Client) -> None:
        answers: list[str] = []

        def answered(_client: Any, _data: Any, _flags: Any, reason: Any, _properties: Any) -> None:
            answers.append(f"it refuses us: {reason}" if reason.is_failure else "")

        client.on_connect = answered
        client.connect(self.broker.host, self.broker.port, _KEEPALIVE)
        end = time.monotonic() + _ANSWER
        while not answers:
            if time.monotonic() > end or (self._end.is_set() and self._told):
                raise _LostError("it does not answer")
            if client.loop(_POLL):
                break
        if not answers or answers[0]:
            raise _LostError(answers[0] if answers else "it closed the connection")
        if self._told:
            self._say(f"MQTT broker {self.broker}: connected")
            self._told.clear()
        self.connected, self._since = True, time.monotonic()

    def _publish_until_the_end(self, client: Client) -> None:
        def listen(client: Client, _data: Any, message: Any) -> None:
            # The will of a connection of ours that the broker missed only now, or another process
            # of our name that ended.
            if message.payload != ONLINE.encode() and not self._end.is_set():
                self._announce(client, ONLINE)

        for topic, config in self._discovery.items():
            client.publish(topic, json.dumps(config), qos=1, retain=True)
        self._announce(client, ONLINE)
        client.on_message = listen
        client.subscribe(self.broker.topic("availability"), qos=1)
        self._sent, self._sent_at, self._status_at = None, 0.0, 0.0
        while not self._end.is_set():
            self._publish_what_is_due(client, time.monotonic())
            if client.loop(_POLL):
                raise _LostError("the connection is lost")
        if self._newest is not self._sent:
            self._publish_state(client)
        said = self._announce(client, OFFLINE)
        end = time.monotonic() + _LAST / 2
        while not said.is_published() and time.monotonic() < end and not client.loop(_POLL):
            pass
        client.disconnect()

    def _publish_what_is_due(self, client: Client, now: float) -> None:
        # What was sent before is still on its way: a broker that takes nothing must not make the
        # queue grow.
        if client.want_write():
            return
        newest, sent = self._newest, self._sent
        if newest is not None and newest is not sent:
            changed = sent is None or _seen(newest) != _seen(sent)
            if changed or now - self._sent_at >= self._every:
                self._publish_state(client)
        if self._status is not None and now - self._status_at >= _STATUS:
            self._status_at = now
            client.publish(self.broker.topic("status"), json.dumps(self._status()))

    def _publish_state(self, client: Client) -> None:
        reading = self._newest
        assert reading is not None
        self._sent, self._sent_at = reading, time.monotonic()
        client.publish(self.broker.topic("state"), json.dumps(reading.to_dict()))

    def _announce(self, client: Client, word: str) -> MQTTMessageInfo:
        return client.publish(self.broker.topic("availability"), word, qos=1, retain=True)


def _seen(reading: Reading) -> list[tuple[int, str, str]]:
    """Who is seen with which emotion."""
    return sorted((f.id or 0, f.person or "", f.emotion or "") for f in reading.faces)

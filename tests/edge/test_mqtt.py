"""Readings to a real broker: one that restarts, is away, is silent, refuses or is stopped."""

import gc
import importlib.util
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
import weakref
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from edge_fer.errors import InputError, MissingPackageError
from edge_fer.labels import FER_LABELS
from edge_fer.sinks import mqtt
from edge_fer.sinks.broker import PASSWORD_VARIABLE
from edge_fer.sinks.mqtt import Mqtt

_PLACES = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
MOSQUITTO = shutil.which("mosquitto", path=_PLACES)
PASSWD = shutil.which("mosquitto_passwd", path=_PLACES)
OPENSSL = shutil.which("openssl")
needs_paho = pytest.mark.skipif(
    importlib.util.find_spec("paho") is None, reason="paho-mqtt is not installed (extra 'mqtt')"
)
needs_mosquitto = pytest.mark.skipif(
    MOSQUITTO is None or importlib.util.find_spec("paho") is None,
    reason="mosquitto (apt install mosquitto) or paho-mqtt is not installed",
)
QUICK = (0.1, 0.2)


def wait_for(true, seconds=15.0):
    """Wait until something is true; False where it does not become so."""
    end = time.monotonic() + seconds
    while not (answer := true()) and time.monotonic() < end:
        time.sleep(0.01)
    return answer


def _free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Mosquitto:
    """A broker on a port of its own."""

    def __init__(self, folder, port, extra="allow_anonymous true\n"):
        self.port, self._process = port, None
        self._config = folder / "mosquitto.conf"
        user = "user root\n" if os.geteuid() == 0 else ""
        self._config.write_text(f"listener {port} 127.0.0.1\n{user}{extra}")

    def start(self):
        self._process = subprocess.Popen(
            [MOSQUITTO, "-c", str(self._config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert wait_for(self._listens), "mosquitto does not start"
        return self

    def send(self, number):
        self._process.send_signal(number)

    def stop(self):
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _listens(self):
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


@pytest.fixture
def make_broker(tmp_path):
    """Makes brokers that end with the test."""
    made = []

    def make(extra="allow_anonymous true\n", start=True):
        broker = Mosquitto(tmp_path, _free_port(), extra)
        made.append(broker)
        return broker.start() if start else broker

    yield make
    for broker in made:
        broker.stop()


@contextmanager
def listening(port, topic="#", **login):
    """Another client: gives the list in which messages arrive, as (topic, retained, text)."""
    from paho.mqtt.client import Client
    from paho.mqtt.enums import CallbackAPIVersion

    got, ready = [], threading.Event()
    client = Client(CallbackAPIVersion.VERSION2)
    if login:
        client.username_pw_set(**login)
    client.on_connect = lambda c, *_: c.subscribe(topic, 1)
    client.on_subscribe = lambda *_: ready.set()
    client.on_message = lambda _c, _d, m: got.append((m.topic, m.retain, m.payload.decode()))
    client.connect("127.0.0.1", port)
    client.loop_start()
    try:
        assert ready.wait(10)
        got_and_client = Got(got)
        got_and_client.client = client
        yield got_and_client
    finally:
        client.disconnect()
        client.loop_stop()


class Got:
    """The messages that came."""

    def __init__(self, messages):
        self._messages = messages

    def of(self, topic):
        return [text for name, _, text in list(self._messages) if name == topic]

    def retained(self):
        return {name: text for name, retained, text in list(self._messages) if retained}

    def states(self):
        return [json.loads(text) for text in self.of("room/state")]


def _sink(port, login="", events=None, **options):
    return Mqtt(
        f"mqtt://{login}127.0.0.1:{port}/room",
        FER_LABELS,
        on_event=(events if events is not None else []).append,
        waits=QUICK,
        **options,
    )


@needs_mosquitto
def test_readings_are_published(make_broker, reading, read_face):
    broker = make_broker()
    one = reading([read_face(id=1)], 7)
    with listening(broker.port) as got:
        with _sink(broker.port, status=lambda: {"fps": 3.0}) as sink:
            sink.write(one)
            assert wait_for(got.states)
            assert got.states() == [json.loads(json.dumps(one.to_dict()))]
            assert wait_for(lambda: got.of("room/status"))
            assert json.loads(got.of("room/status")[0]) == {"fps": 3.0}
            assert got.of("room/availability") == ["online"]
            assert sink.connected
        assert wait_for(lambda: got.of("room/availability") == ["online", "offline"])


@needs_mosquitto
def test_what_must_be_known_later_is_retained(make_broker, reading):
    broker = make_broker()
    with _sink(broker.port) as sink:
        sink.write(reading())
        assert wait_for(lambda: sink.connected)
    with listening(broker.port) as got:
        assert wait_for(lambda: len(got.retained()) >= 5)
        kept = got.retained()
    assert kept.pop("room/availability") == "offline"
    assert {topic.split("/")[-2] for topic in kept} >= {"faces", "emotion", "confidence", "fps"}
    assert all(topic.startswith("homeassistant/sensor/room/") for topic in kept)
    assert all(json.loads(text)["unique_id"] for text in kept.values())


@needs_mosquitto
def test_a_change_is_told_at_once_and_sameness_now_and_then(make_broker, reading, read_face):
    broker = make_broker()
    with listening(broker.port) as got, _sink(broker.port, every=60.0) as sink:
        for index in range(5):
            sink.write(reading([read_face(id=1)], index))
            assert wait_for(got.states)
            time.sleep(0.1)
        assert len(got.states()) == 1
        seen = [
            [read_face(id=1, emotion="sad")],
            [read_face(id=1, emotion="sad"), read_face(id=2)],
            [read_face(id=3, emotion="sad"), read_face(id=2)],
            [],
        ]
        for number, faces in enumerate(seen, 2):
            sink.write(reading(faces, 10 + number))
            assert wait_for(lambda n=number: len(got.states()) == n, 2)
    assert got.states()[-1]["faces"] == []


@needs_mosquitto
def test_sameness_is_told_as_often_as_asked_for(make_broker, reading, read_face):
    broker = make_broker()
    with listening(broker.port) as got, _sink(broker.port, every=0.3) as sink:
        assert wait_for(lambda: sink.connected)
        end = time.monotonic() + 2
        index = 0
        while time.monotonic() < end:
            sink.write(reading([read_face()], index := index + 1))
            time.sleep(0.01)
        assert 3 <= len(got.states()) <= 8


@needs_mosquitto
def test_the_last_reading_is_not_lost_at_the_end(make_broker, reading):
    broker = make_broker()
    with listening(broker.port) as got:
        with _sink(broker.port) as sink:
            sink.write(reading(index=5))
        assert wait_for(got.states)
        assert got.states()[-1]["frame"] == 5


@needs_mosquitto
def test_a_frame_that_could_not_be_read_says_nothing(make_broker, reading, read_face):
    broker = make_broker()
    with listening(broker.port) as got, _sink(broker.port) as sink:
        sink.write(replace(reading(index=1), failed=True))
        assert wait_for(lambda: sink.connected)
        time.sleep(0.3)
        assert got.states() == []
        sink.write(reading([read_face()], 2))
        sink.write(replace(reading(index=3), failed=True))
        assert wait_for(got.states)
    assert [state["frame"] for state in got.states()] == [2]


@needs_mosquitto
def test_a_broker_that_restarts_is_found_again(make_broker, reading):
    broker, events = make_broker(), []
    with _sink(broker.port, events=events) as sink:
        sink.write(reading(index=1))
        assert wait_for(lambda: sink.connected)
        broker.stop()
        assert wait_for(lambda: not sink.connected)
        for index in range(2, 1000):
            sink.write(reading(index=index))
        broker.start()  # it keeps nothing: all that is retained must come again
        with listening(broker.port) as got:
            assert wait_for(lambda: sink.connected)
            # The newest may have gone out before anybody listened: states are not retained.
            assert wait_for(lambda: sink.write(reading(index=999)) or got.states())
            assert {state["frame"] for state in got.states()} == {999}
            assert wait_for(lambda: got.of("room/availability"))
            assert got.of("room/availability")[-1] == "online"
            assert wait_for(lambda: got.of("homeassistant/sensor/room/faces/config"))
    assert events[-1].endswith("connected")
    assert len(events) <= 4, events


@needs_mosquitto
def test_a_broker_that_is_away_at_the_start_is_said_once(make_broker, reading):
    broker, events = make_broker(start=False), []
    with _sink(broker.port, events=events) as sink:
        sink.write(reading(index=3))
        assert wait_for(lambda: events)
        time.sleep(0.6)
        assert len(events) == 1
        assert "Connection refused" in events[0]
        broker.start()
        with listening(broker.port) as got:
            assert wait_for(got.states)
    assert events[1].endswith("connected")


@needs_mosquitto
@pytest.mark.skipif(PASSWD is None, reason="mosquitto_passwd is not installed")
def test_passwords(make_broker, reading, tmp_path, monkeypatch, caplog):
    subprocess.run([PASSWD, "-c", "-b", tmp_path / "users", "ann", "right"], check=True, timeout=20)
    broker = make_broker(f"allow_anonymous false\npassword_file {tmp_path / 'users'}\n")
    for login in ("ann:wr0ng@", "bob:wr0ng@", ""):
        events = []
        with _sink(broker.port, login, events) as sink:
            sink.write(reading())
            assert wait_for(lambda said=events: said)
            time.sleep(0.3)
        assert len(events) == 1
        assert "refuses" in events[0]
        assert "wr0ng" not in events[0] + caplog.text
    with (
        listening(broker.port, username="ann", password="right") as got,
        _sink(broker.port, "ann:right@"),
    ):
        assert wait_for(lambda: got.of("room/availability"))
    monkeypatch.setenv(PASSWORD_VARIABLE, "right")
    with _sink(broker.port, "ann@") as sink:
        assert wait_for(lambda: sink.connected)


@needs_mosquitto
def test_an_offline_that_is_not_true_is_put_right(make_broker):
    """An earlier connection's will may come late, after a power cut say."""
    broker = make_broker()
    with listening(broker.port) as got, _sink(broker.port):
        assert wait_for(lambda: got.of("room/availability") == ["online"])
        got.client.publish("room/availability", "offline", 1, True)
        assert wait_for(lambda: got.of("room/availability") == ["online", "offline", "online"])


@needs_mosquitto
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_the_broker_says_offline_when_the_process_dies(make_broker, make_clip, start, number):
    broker = make_broker()
    clip = make_clip(frames=20, fps=20)
    with listening(broker.port) as got:
        process = start(
            "run", clip, "--loop", "--no-show", "--detector", "blazeface",
            "--mqtt", f"mqtt://127.0.0.1:{broker.port}/room", "--mqtt-every", "0.2",
        )  # fmt: skip
        assert wait_for(lambda: len(got.states()) >= 3), process.poll()
        process.send_signal(number)
        assert wait_for(lambda: got.of("room/availability") == ["online", "offline"])
        assert process.wait(timeout=20) == (-9 if number == signal.SIGKILL else 0)
    with listening(broker.port) as later:
        assert wait_for(lambda: later.retained().get("room/availability") == "offline")
    assert [state["faces"] for state in got.states() if state["faces"]]
    status = json.loads(got.of("room/status")[0])
    assert {"fps", "frames", "board", "source"} <= set(status)


@needs_mosquitto
def test_a_broker_that_stops_answering_holds_nothing_up(make_broker, reading, read_face):
    broker = make_broker()
    began = time.monotonic()
    with _sink(broker.port, every=0.1) as sink:
        assert wait_for(lambda: sink.connected)
        broker.send(signal.SIGSTOP)
        began = time.monotonic()
        for index in range(20_000):
            sink.write(reading([read_face()], index))
        wrote, began = time.monotonic() - began, time.monotonic()
    assert time.monotonic() - began < 4
    assert wrote < 5
    broker.send(signal.SIGCONT)


@contextmanager
def _server(answer=b"", buffer=None, closes=False):
    """Accepts connections, answers what comes first, and then says nothing more, or closes."""
    kept = []
    with socket.socket() as server:
        if buffer:
            server.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        server.bind(("127.0.0.1", 0))
        server.listen()

        def serve():
            with suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    kept.append(connection)
                    if answer:
                        connection.recv(1000)
                        connection.sendall(answer)
                    if closes:
                        connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)
            for connection in kept:
                connection.close()


@needs_paho
def test_a_server_that_says_nothing_is_given_up(monkeypatch, reading):
    monkeypatch.setattr(mqtt, "_ANSWER", 0.3)
    events = []
    with _server() as port:
        with _sink(port, events=events) as sink:
            sink.write(reading())
            assert wait_for(lambda: events)
            began = time.monotonic()
        assert time.monotonic() - began < 3
    assert events == [f"MQTT broker 127.0.0.1:{port}: it does not answer; trying again"]


@needs_paho
def test_a_broker_that_takes_nothing_does_not_fill_memory(monkeypatch, reading, read_face):
    """It accepts us and then never reads: what is sent stays on our side."""
    published = []
    real = Mqtt._publish_state
    monkeypatch.setattr(
        Mqtt, "_publish_state", lambda self, client: (published.append(1), real(self, client))
    )
    crowd = [read_face(id=number) for number in range(1000)]
    with _server(b"\x20\x02\x00\x00", buffer=4096) as port, _sink(port, every=0.0) as sink:
        assert wait_for(lambda: sink.connected)
        end, count, index = time.monotonic() + 30, -1, 0
        while len(published) != count and time.monotonic() < end:
            count, until = len(published), time.monotonic() + 1.0
            while time.monotonic() < until:
                sink.write(reading(crowd, index := index + 1))
                time.sleep(0.02)
        assert sink.connected
        assert 0 < len(published) == count < index


@needs_paho
def test_connecting_again_and_again_leaves_nothing_open(monkeypatch):
    began, lines = [], []
    real = Mqtt._make_client
    monkeypatch.setattr(Mqtt, "_make_client", lambda self: began.append(1) or real(self))
    gc.disable()  # it may come late where little is allocated
    try:
        with _server(b"\x20\x02\x00\x00", closes=True) as port:
            url = f"mqtt://127.0.0.1:{port}/room"
            with Mqtt(url, FER_LABELS, on_event=lines.append, waits=(0.001, 0.002)):
                assert wait_for(lambda: len(began) > 5)
                before = len(list(Path("/proc/self/fd").iterdir()))
                assert wait_for(lambda: len(began) > 60)
                assert len(list(Path("/proc/self/fd").iterdir())) < before + 10
    finally:
        gc.enable()


@needs_paho
def test_a_broker_that_drops_us_is_asked_ever_less_often(monkeypatch):
    began, lines = [], []
    real = Mqtt._make_client
    monkeypatch.setattr(Mqtt, "_make_client", lambda self: began.append(1) or real(self))
    with _server(b"\x20\x02\x00\x00", closes=True) as port:
        url = f"mqtt://127.0.0.1:{port}/room"
        with Mqtt(url, FER_LABELS, on_event=lines.append, waits=(0.1, 60.0)):
            time.sleep(2)
    assert 3 <= len(began) <= 5  # after 0.1, 0.3, 0.7 and 1.5 s
    assert len(lines) <= 2 * len(began)


def test_only_the_newest_reading_is_kept(reading):
    pytest.importorskip("paho")
    sink = _sink(_free_port())
    first = reading(index=0)
    gone = weakref.ref(first)
    with sink:
        sink.write(first)
        del first
        sink.write(reading(index=1))
        gc.collect()
        assert gone() is None


@pytest.fixture
def certificate(tmp_path):
    if OPENSSL is None:
        pytest.skip("openssl is not installed")
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    subprocess.run(
        [OPENSSL, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=x",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", cert],
        check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    return key, cert


@needs_mosquitto
# Where a certificate is refused, paho leaves the socket to Python's memory management.
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_certificates_are_checked(make_broker, certificate, monkeypatch):
    key, cert = certificate
    broker = make_broker(f"allow_anonymous true\nkeyfile {key}\ncertfile {cert}\n")
    url, events = f"mqtts://127.0.0.1:{broker.port}/room", []
    with Mqtt(url, FER_LABELS, on_event=events.append, waits=QUICK) as sink:
        assert wait_for(lambda: events)
        assert not sink.connected
    assert "certificate verify failed" in events[0]
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    with Mqtt(url, FER_LABELS, on_event=events.append, waits=QUICK) as sink:
        assert wait_for(lambda: sink.connected)


def test_without_paho_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"edge-fer\[mqtt\]"):
        Mqtt("mqtt://pi", FER_LABELS)


def test_a_bad_address_comes_before_all():
    with pytest.raises(InputError, match=r"mqtts?://"):
        Mqtt("pi", FER_LABELS)


def test_a_bad_address_is_bad_input(cli, picture_file):
    done = cli("run", picture_file, "--detector", "blazeface", "--mqtt", "mqtt://u:se/cret@pi")
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "cret" not in done.stderr


@needs_paho
def test_a_run_does_without_the_broker(cli, picture_file):
    url = f"mqtt://ann:s3cret@127.0.0.1:{_free_port()}"
    done = cli("run", picture_file, "--detector", "blazeface", "--jsonl", "-", "--mqtt", url)
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["faces"]) == 1
    assert "MQTT broker 127.0.0.1:" in done.stderr
    assert "s3cret" not in done.stderr
    assert len(done.stderr.splitlines()) == 2

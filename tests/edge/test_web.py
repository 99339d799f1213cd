"""The live page, met as browsers, programs and strangers meet it."""

import asyncio
import json
import re
import socket
import threading
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import browser
import cv2
import numpy as np
import pytest

import edge_fer
from edge_fer import draw
from edge_fer.board import Board
from edge_fer.errors import InputError, MissingPackageError
from edge_fer.sources.supervised import Supervised
from edge_fer.status import Status
from edge_fer.web.address import Address, parse_address, public_host
from edge_fer.web.app import MOST_CLIENTS
from edge_fer.web.history import History
from edge_fer.web.hub import Hub, encode
from edge_fer.web.metrics import prometheus
from edge_fer.web.sink import WebSink

PATHS = ("/", "/stream", "/snapshot", "/events", "/status", "/metrics", "/style.css", "/page.js")
PAGE = Path(edge_fer.__file__).parent / "web" / "page"


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


OPENER = urllib.request.build_opener(NoRedirect)


def ask(page, path, method="GET", **headers):
    """Status, headers and the first bytes of an answer."""
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(page.url.rstrip("/") + path, headers=names, method=method)
    try:
        with OPENER.open(request, timeout=5) as answer:
            size = 300 if path.split("?")[0] in ("/stream", "/events") else -1
            return answer.status, answer.headers, answer.read(size)
    except urllib.error.HTTPError as e:
        with e:
            return e.code, e.headers, e.read()


def port_of(page):
    return int(page.url.rstrip("/").rpartition(":")[2])


@contextmanager
def connected(page, path, receive=None):
    """A client that has asked and reads no more than it is told to."""
    with socket.socket() as client:
        if receive:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        client.settimeout(5)
        client.connect(("127.0.0.1", port_of(page)))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        yield client


def soon(true, within=5.0):
    end = time.monotonic() + within
    while not (value := true()):
        assert time.monotonic() < end, "not in time"
        time.sleep(0.02)
    return value


@pytest.fixture
def status(fake_source):
    return Status(fake_source(), "fer-base", "blazeface")


@pytest.fixture
def serve(status):
    """Serves pages and ends them with the test."""
    pages = []

    def start(address="0", **facts):
        page = WebSink(address, status, **facts)
        pages.append(page)
        return page.__enter__()

    yield start
    for page in pages:
        page.__exit__(None, None, None)


@pytest.fixture
def page(serve):
    return serve()


@pytest.fixture
def feed(status, reading, read_face):
    """Puts readings into a page, as the command does."""

    def put(page, count=1, first=0, size=(96, 64)):
        for index in range(first, first + count):
            new = reading([read_face(id=3)], index, index / 10, size=size)
            page.write(new)
            status.add(new)

    return put


# What the paths answer


def test_a_snapshot_is_the_last_reading(page, feed):
    assert ask(page, "/snapshot")[0] == 503
    feed(page, 3)
    code, headers, body = ask(page, "/snapshot")
    assert (code, headers["Content-Type"]) == (200, "application/json")
    row = json.loads(body)
    assert list(row) == ["frame", "time", "width", "height", "faces"]
    assert (row["frame"], row["faces"][0]["id"], row["faces"][0]["emotion"]) == (2, 3, "happy")


def test_a_snapshot_says_who_it_is(page, reading, read_face):
    page.write(reading([read_face(id=3, person="Zo\u00eb", likeness=0.951234)]))
    (face,) = json.loads(ask(page, "/snapshot")[2])["faces"]
    assert (face["person"], face["likeness"], face["emotion"]) == ("Zo\u00eb", 0.9512, "happy")


def test_the_stream_is_of_whole_pictures(page, feed):
    feed(page, 1, size=(64, 48))
    with connected(page, "/stream") as client, client.makefile("rb") as file:
        top = b"".join(iter(file.readline, b"\r\n"))
        boundary = re.search(rb"multipart/x-mixed-replace; boundary=(\S+)", top)[1]
        parts = b""
        for number in range(2):
            if number:
                feed(page, 1, first=number, size=(32, 16))
            # The head of the next part comes with the picture: a browser waits for it.
            while parts.count(b"Content-Type: image/jpeg\r\n\r\n") < number + 2:
                parts += file.read(int(file.readline(), 16))
                file.readline()
    _, *pictures, _ = parts.split(b"--" + boundary + b"\r\nContent-Type: image/jpeg\r\n\r\n")
    pixels = [cv2.imdecode(np.frombuffer(data, np.uint8), 1) for data in pictures]
    assert [picture.shape for picture in pixels] == [(48, 64, 3), (16, 32, 3)]


def test_the_stream_is_a_source_for_another_machine(fed):
    capture = cv2.VideoCapture(fed.url + "stream", cv2.CAP_FFMPEG)
    shapes = [capture.read()[1].shape for _ in range(3)]
    capture.release()
    assert shapes == [(64, 96, 3)] * 3


def test_events_are_readings_and_the_status(page, feed):
    feed(page, 1)
    with connected(page, "/events") as client:
        text = b""
        while text.count(b"event: status") < 2:
            text += client.recv(4096)
    assert b"text/event-stream" in text
    first = json.loads(re.search(rb"^data: (.*)$", text, re.M)[1])
    assert first["frame"] == 0
    facts = json.loads(re.search(rb"event: status\ndata: (.*)\n", text)[1])
    assert facts["model"] == "fer-base"
    assert facts["frames"] == 1


def test_events_begin_with_the_history_for_who_asks(page, feed):
    feed(page, 4)
    text = ask(page, "/events?history")[2]
    (second,) = json.loads(re.match(rb"event: history\ndata: (.*)\n", text)[1])["seconds"]
    assert second["n"] == 4
    assert second["shares"]["happy"] == 2.8
    assert second["faces"] == [[3, "happy"]]
    assert b"history" not in ask(page, "/events")[2]


def test_the_history_is_of_five_minutes(reading, read_face):
    now = [1000.5]
    history = History(lambda: now[0])
    for _ in range(400):
        history.add(reading([read_face()]))
        history.add(reading([read_face(id=9, emotion="sad"), read_face()]))
        now[0] += 1
    rows = history.to_dict()["seconds"]
    assert [row["ago"] for row in rows] == [*range(299, 0, -1)]
    assert {row["n"] for row in rows} == {3}
    assert rows[0]["faces"] == [(1, "happy"), (9, "sad"), (2, "happy")]
    now[0] += 1000
    assert history.to_dict() == {"seconds": []}


def test_a_frame_that_could_not_be_read_is_not_shown(page, feed, reading):
    feed(page)
    page.write(replace(reading(index=1), failed=True))
    assert json.loads(ask(page, "/snapshot")[2])["frame"] == 0


def test_faces_are_blurred_here_too(page, read_face, reading):
    new = reading([read_face()], size=(200, 160))
    object.__setattr__(new.frame, "pixels", _noise((200, 160)))

    def rough(blurred):
        data = encode(replace(new, blurred=blurred))
        return cv2.imdecode(np.frombuffer(data, np.uint8), 1)[30:50, 30:50].std()

    assert rough(True) < rough(False) / 2


def test_the_status_is_plain_data(page, feed, status):
    feed(page, 2)
    facts = json.loads(ask(page, "/status")[2])
    assert set(facts) == set(status.to_dict())


def test_health_is_whether_readings_come(serve, feed):
    page = serve(stall=0.5)
    assert ask(page, "/healthz")[0] == 503
    feed(page)
    assert ask(page, "/healthz")[::2] == (200, b"ok\n")
    soon(lambda: ask(page, "/healthz")[0] == 503)


def test_metrics_are_prometheus_text(page, feed):
    feed(page, 12)
    code, headers, body = ask(page, "/metrics")
    assert code == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    line = re.compile(r'# (HELP|TYPE) edge_fer_\w+ .+|edge_fer_\w+(\{\w+="[^"]*"\})? -?[0-9.e+-]+')
    assert [text for text in body.decode().splitlines() if not line.fullmatch(text)] == []
    assert b"\nedge_fer_frames_total 12\n" in body
    assert b"\nedge_fer_frames_dropped_total 0\n" in body
    assert b'\nedge_fer_emotions_total{emotion="happy"} 12\n' in body


def test_metrics_tell_of_the_source_and_keep_every_digit(fake_source, reading):
    live = fake_source(live=True, fps=10.0)
    source = Supervised(lambda: live, first=live)
    source.health.dropped, source.health.reopened = 12_345_678, 3
    status = Status(source)
    status.add(reading())
    text = prometheus(status, healthy=False, clients=2)
    assert "\nedge_fer_frames_dropped_total 12345678\n" in text
    assert "\nedge_fer_source_reopened_total 3\n" in text
    assert "\nedge_fer_source_reading 0\n" in text
    assert "\nedge_fer_clients 2\n" in text


def test_a_head_ends(page, feed):
    feed(page)
    for path in PATHS:
        request = urllib.request.Request(page.url.rstrip("/") + path, method="HEAD")
        with urllib.request.urlopen(request, timeout=5) as answer:
            assert answer.status == 200


@pytest.mark.parametrize(
    "path", ["/nonesuch", "/../../etc/passwd", "/page/index.html", "/%2e%2e/app.py", "/style.css/"]
)
def test_there_is_nothing_else(page, path):
    assert ask(page, path)[0] == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_nothing_can_be_changed(page, method):
    assert ask(page, "/snapshot", method=method)[0] == 405


# Who gets in


def test_every_answer_has_the_headers_for_browsers(serve, feed):
    page, guarded = serve(), serve(token="a long enough token")
    feed(page)
    answers = [ask(page, path) for path in (*PATHS, "/nonesuch", "/healthz")]
    answers += [ask(guarded, "/"), ask(page, "/", Host="evil.example")]
    for _, headers, _ in answers:
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:80", "localhost.evil.example", "127.0.0.1.evil.example",
     "192.168.1.7", "127.evil", "[::2]", "[", "a@b", "2130706433"],
)  # fmt: skip
def test_a_foreign_host_is_sent_away(page, host):
    for path in (*PATHS, "/healthz"):
        assert ask(page, path, Host=host)[0] == 421


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:9000", "127.0.0.1", "127.0.0.2:1", "[::1]:8"]
)
def test_this_machine_and_tunnels_to_it_get_in(page, host):
    assert ask(page, "/", Host=host)[0] == 200


def test_another_site_s_page_is_sent_away(page, feed):
    feed(page)
    here = page.url.rstrip("/")
    assert ask(page, "/snapshot", Origin=here)[0] == 200
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1", here + ".evil.example"):
        assert ask(page, "/snapshot", Origin=origin)[0] == 403
    picture = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}
    assert ask(page, "/stream", **picture)[0] == 403
    link = {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"}
    assert ask(page, "/", **link)[0] == 200


@pytest.fixture
def guarded(serve, feed):
    page = serve(token="s3cret-täken".replace("ä", "a"))
    feed(page)
    return page


def test_without_the_token_nothing_is_shown_but_health(guarded):
    for path in PATHS:
        code, headers, body = ask(guarded, path)
        assert code == 401, path
        assert headers["WWW-Authenticate"].startswith("Bearer")
        assert b"happy" not in body
    assert ask(guarded, "/healthz")[::2] == (200, b"ok\n")


@pytest.mark.parametrize(
    "credentials",
    ["Bearer wrong", "Bearer s3cret-take", "Bearer s3cret-takenn", "Bearer", "Basic s3cret-taken",
     "s3cret-taken", "Bearer \xe4", ""],
)  # fmt: skip
def test_a_wrong_token_is_none(guarded, credentials):
    assert ask(guarded, "/snapshot", Authorization=credentials)[0] == 401


def test_a_token_goes_into_a_header(guarded):
    assert ask(guarded, "/snapshot", Authorization="Bearer s3cret-taken")[0] == 200
    assert ask(guarded, "/snapshot", Authorization="bearer  s3cret-taken")[0] == 200


def test_a_token_in_the_address_becomes_a_cookie(guarded):
    code, headers, _ = ask(guarded, "/snapshot?a=1&token=s3cret-taken&b=%262")
    assert (code, headers["Location"]) == (303, "/snapshot?a=1&b=%262")
    cookie = headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "samesite=strict" in cookie.lower()
    assert "s3cret" not in cookie
    pair = cookie.split(";")[0]
    assert ask(guarded, "/snapshot", Cookie=f"other=1; {pair}")[0] == 200
    name = pair.split("=")[0]
    for wrong in (f"{name}=s3cret-taken", f"{name}=", f"x{pair}", f"{pair}0", f"{name}=\xe4"):
        assert ask(guarded, "/snapshot", Cookie=wrong)[0] == 401
    assert ask(guarded, "/?token=wrong")[0] == 401
    assert ask(guarded, "/?token=%ff")[0] == 401


@pytest.mark.parametrize("path", ["//evil.example", "/\\evil.example", "///evil.example/%2f"])
def test_no_address_with_a_token_leads_away(guarded, path):
    code, headers, _ = ask(guarded, f"{path}?token=s3cret-taken")
    assert code == 303
    assert re.match(r"/[^/\\]", headers["Location"])


def test_a_browser_is_asked_for_the_token(guarded):
    code, headers, body = ask(guarded, "/", Accept="text/html,*/*")
    assert (code, headers["Content-Type"]) == (401, "text/html; charset=utf-8")
    assert b'name="token"' in body


def test_off_loopback_a_token_is_made(serve, feed):
    first, second = serve("0.0.0.0:0"), serve("0.0.0.0:0")
    assert len(first.token) >= 32
    assert first.token != second.token
    feed(first)
    first.url = f"http://127.0.0.1:{port_of(first)}/"
    assert ask(first, "/snapshot")[0] == 401
    bearer = {"Authorization": f"Bearer {first.token}"}
    assert ask(first, "/snapshot", **bearer)[0] == 200
    # Which names a machine has on a network nobody here knows.
    assert ask(first, "/snapshot", Host="pi.example", **bearer)[0] == 200


@pytest.mark.parametrize("token", ["", "   ", "tök", "a\nb"])
def test_a_token_that_cannot_be_sent_is_refused(status, token):
    with pytest.raises(InputError, match="--token"):
        WebSink("0", status, token=token)


# Where it listens


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("8080", "127.0.0.1", 8080), ("0.0.0.0:80", "0.0.0.0", 80), ("[::1]:8", "::1", 8),
     ("pi.local:65535", "pi.local", 65535), (" 0 ", "127.0.0.1", 0)],
)  # fmt: skip
def test_an_address_is_read(text, host, port):
    assert parse_address(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    ["", "x", ":8080", "::1:80", "1.2.3.4", "host:", "65536", "-1", "80.5", "\uff180", "[]:1"],
)
def test_what_is_no_address_is_refused(text):
    with pytest.raises(InputError, match="--serve"):
        parse_address(text)


def test_a_taken_port_is_bad_input(page, status):
    with (
        pytest.raises(InputError, match="another program listens there"),
        WebSink(str(port_of(page)), status),
    ):
        pass


@pytest.mark.parametrize("host", ["192.0.2.7", "nonesuch.invalid"])
def test_another_machine_s_address_is_bad_input(status, host):
    with pytest.raises(InputError, match=host), WebSink(f"{host}:0", status):
        pass


def test_an_address_for_others_is_one_they_can_open():
    with socket.create_server(("0.0.0.0", 0)) as listener:
        assert public_host(listener) not in ("", "0.0.0.0")


def test_the_packages_are_asked_for(monkeypatch, status):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match=r"pip install 'edge-fer\[web\]'"):
        WebSink("0", status)


# Many, slow and vanished clients


def counting_hub():
    made = []

    def encoder(reading):
        made.append(reading.frame.index)
        return b"%d" % reading.frame.index

    return Hub(encoder), made


def test_nothing_is_encoded_while_nobody_watches(page, feed):
    feed(page, 50)
    ask(page, "/snapshot")
    with connected(page, "/events") as client:
        client.recv(100)
        feed(page, 50, first=50)
    assert page._hub.encoded == 0
    ask(page, "/stream")
    assert page._hub.encoded >= 1


def test_all_who_watch_share_one_picture(reading):
    hub, made = counting_hub()

    async def watch():
        watchers = [asyncio.create_task(hub.picture(0)) for _ in range(20)]
        await asyncio.sleep(0.05)
        hub.put(reading(index=7))
        return await asyncio.gather(*watchers)

    assert set(asyncio.run(watch())) == {(1, b"7")}
    assert made == [7]


def test_who_comes_late_gets_the_newest_only(reading):
    hub, made = counting_hub()
    for index in range(100):
        hub.put(reading(index=index))

    async def watch():
        first = await hub.picture(0)
        for index in range(100, 200):
            hub.put(reading(index=index))
        return first, await hub.picture(first[0])

    assert asyncio.run(watch()) == ((100, b"99"), (200, b"199"))
    assert made == [99, 199]


def test_closing_ends_every_wait():
    hub, _ = counting_hub()

    async def watch():
        waits = [asyncio.create_task(wait(0)) for wait in (hub.reading, hub.picture)]
        await asyncio.sleep(0.05)
        threading.Thread(target=hub.close).start()
        return await asyncio.wait_for(asyncio.gather(*waits, hub.picture(0)), 2)

    assert asyncio.run(watch()) == [None, None, None]


def test_a_large_frame_is_made_smaller(reading):
    picture = cv2.imdecode(np.frombuffer(encode(reading(size=(2560, 1440))), np.uint8), 1)
    assert picture.shape == (720, 1280, 3)


def _noise(size):
    return np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), np.uint8)


def test_slow_clients_hold_up_nothing(page, reading, feed):
    new = reading()
    object.__setattr__(new.frame, "pixels", _noise((640, 480)))
    with (
        connected(page, "/stream", 4096),
        connected(page, "/stream", 4096),
        connected(page, "/events", 4096),
    ):
        page.write(new)
        soon(lambda: page._hub.encoded)
        start = time.monotonic()
        for _ in range(200):
            page.write(new)
            time.sleep(0.002)
        assert time.monotonic() - start < 2
        # A few pictures fit into the kernel's buffers; then nobody asks for more.
        assert page._hub.encoded < 30
        code, _, body = ask(page, "/stream")
        assert code == 200
        assert b"image/jpeg" in body


def test_who_reads_nothing_is_dropped(monkeypatch, serve, status, reading):
    monkeypatch.setattr("edge_fer.web.address._UNREAD", 700)
    page = serve()
    new = reading()
    object.__setattr__(new.frame, "pixels", _noise((640, 480)))
    status.add(new)

    def clients():
        page.write(new)
        return b"edge_fer_clients 0" not in ask(page, "/metrics")[2]

    with connected(page, "/stream", 4096):
        soon(clients)
        soon(lambda: not clients(), within=15)


def test_who_asks_nothing_is_dropped(monkeypatch, serve):
    monkeypatch.setattr("edge_fer.web.server._REQUEST_WITHIN", 0.3)
    page = serve()
    with socket.create_connection(("127.0.0.1", port_of(page)), timeout=5) as client:
        client.sendall(b"GET / HT")
        assert client.recv(1) == b""


def test_there_is_a_limit_on_clients(page, feed):
    feed(page)
    clients = [connected(page, "/stream") for _ in range(MOST_CLIENTS)]
    for client in clients:
        client.__enter__().recv(100)
    code, headers, _ = ask(page, "/stream")
    assert (code, headers["Retry-After"]) == (503, "5")
    assert ask(page, "/events")[0] == 200
    assert ask(page, "/snapshot")[0] == 200
    for client in clients:
        client.__exit__(None, None, None)
    soon(lambda: ask(page, "/stream")[0] == 200)


def test_connections_are_limited_too(monkeypatch, page):
    monkeypatch.setattr("edge_fer.web.server._MOST_CONNECTIONS", 5)
    idle = [socket.create_connection(("127.0.0.1", port_of(page))) for _ in range(5)]
    soon(lambda: _refused(page))
    for client in idle:
        client.close()
    soon(lambda: not _refused(page))


def _refused(page):
    try:
        return ask(page, "/healthz") is None
    except OSError:
        return True


def test_it_stops_within_a_second_whoever_is_connected(serve, reading):
    page = serve()
    new = reading()
    object.__setattr__(new.frame, "pixels", _noise((640, 480)))
    with (
        connected(page, "/stream", 4096),
        connected(page, "/stream") as reader,
        connected(page, "/events"),
    ):
        for _ in range(20):
            page.write(new)
            time.sleep(0.02)
        reader.recv(100)
        start = time.monotonic()
        page.__exit__(None, None, None)
        assert time.monotonic() - start < 1
        assert not page._server.is_alive()
    page.write(new)  # a run may write once more: nothing happens
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port_of(page)), timeout=1)


def test_a_page_that_broke_does_not_end_the_run(page, reading, caplog):
    ask(page, "/status")
    page._server._loop.call_soon_threadsafe(page._server._loop.stop)
    soon(lambda: not page._server.is_alive())
    page._hub._waiting = 1
    page.write(reading())
    assert "the web page ended" in caplog.text


# The command


class Command:
    """What ``ask`` takes, of a command that runs."""

    def __init__(self, process, lines):
        self.said = [process.stderr.readline() for _ in range(lines)]
        self.url = re.search(r"http://\S+/", self.said[-1])[0]


def test_the_command_serves_and_stops_at_once(start, make_clip):
    process = start(
        "run", make_clip(frames=20), "--loop", "--serve", "0", "--detector", "blazeface"
    )
    page = Command(process, 1)
    assert page.said[0].startswith("edge-fer: the page is http://127.0.0.1:")
    soon(lambda: ask(page, "/healthz")[0] == 200, within=20)
    assert b"<html" in ask(page, "/")[2]
    with connected(page, "/stream") as client, connected(page, "/events"):
        client.recv(100)
        begin = time.monotonic()
        process.terminate()
        assert process.wait(10) == 0
        assert time.monotonic() - begin < 1.5


def test_the_command_says_the_token_it_made(start, make_clip):
    clip = make_clip()
    options = ("--loop", "--serve", "0.0.0.0:0", "--detector", "blazeface")
    page = Command(start("run", clip, *options), 2)
    token = re.fullmatch(r"token: (\S{32,})\n", page.said[0])[1]
    assert page.said[1].endswith(f"/?token={token}\n")
    env = {"EDGE_FER_TOKEN": "from the service's file"}
    page = Command(start("run", clip, *options, env=env), 1)
    assert "service" not in page.said[0]


@pytest.mark.parametrize("where", ["x", "192.0.2.7:0"])
def test_the_command_refuses_what_it_cannot_serve(cli, make_clip, where):
    done = cli("run", make_clip(), "--no-show", "--serve", where)
    assert done.returncode == 2
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1
    assert where in done.stderr


def test_the_command_refuses_a_taken_port(cli, make_clip, page):
    done = cli("run", make_clip(), "--no-show", "--serve", port_of(page))
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "another program listens there" in done.stderr


# The page itself


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags = []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))


def test_the_page_needs_nothing_from_outside(page):
    parser = Tags()
    parser.feed(ask(page, "/")[2].decode())
    wanted = [v for _, attrs in parser.tags for k, v in attrs.items() if k in ("src", "href")]
    assert wanted
    for place in {place for place in wanted if not place.startswith("#")}:
        assert re.fullmatch(r"/[\w.]*", place)
    inline = [attrs for tag, attrs in parser.tags if tag == "script" and "src" not in attrs]
    assert not inline
    assert not [a for _, attrs in parser.tags for a in attrs if a == "style" or a.startswith("on")]
    for file in PAGE.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?:|@import|innerHTML", text), file.name


def test_emotions_have_one_colour_everywhere():
    style = (PAGE / "style.css").read_text()
    for name, (blue, green, red) in draw.COLORS.items():
        assert f"--{name}: #{red:02x}{green:02x}{blue:02x};" in style


def _luminance(color):
    shares = [int(color[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in shares]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_stand_out_from_their_ground(scheme):
    block = re.findall(r":root \{(.*?)\}", (PAGE / "style.css").read_text(), re.S)[scheme]
    colors = {
        name: "".join(c * (6 // len(value)) for c in value) if len(value) == 3 else value
        for name, value in re.findall(r"--([\w-]+): #([0-9a-f]+);", block)
    }
    for word, ground in [
        ("ink", "ground"), ("ink", "card"), ("quiet", "ground"), ("quiet", "card"),
        ("accent", "ground"), ("accent", "card"), ("warn", "card"), ("warn", "warn-ground"),
    ]:  # fmt: skip
        dark, light = sorted((_luminance(colors[word]), _luminance(colors[ground])))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (word, ground)


@pytest.fixture
def chromium(tmp_path):
    if browser.CHROMIUM is None:
        pytest.skip("no Chromium here: apt install chromium")
    with browser.Browser(tmp_path / "profile") as chromium:
        yield chromium


@pytest.fixture
def fed(page, feed):
    """A page that readings keep coming to."""
    stop = threading.Event()

    def run():
        index = 0
        while not stop.wait(0.05):
            feed(page, 1, first=index)
            index += 1

    thread = threading.Thread(target=run)
    thread.start()
    yield page
    stop.set()
    thread.join()


def test_a_browser_shows_what_is_read(chromium, fed):
    chromium.screen(1280, 900)
    chromium.open(fed.url)
    chromium.wait("document.querySelectorAll('.face .bar').length === 7")
    assert chromium.run("document.querySelector('.face h3').innerText").split() == [
        "Face", "3", "Happy", "70", "%",
    ]  # fmt: skip
    chromium.wait("document.getElementById('live').naturalWidth === 96")
    chromium.wait("document.getElementById('state-text').innerText === 'Live'")
    chromium.wait("document.getElementById('spoken').textContent === 'One face: happy'")
    chromium.wait("document.getElementById('timeline').ariaLabel.includes('happy 70 %')")
    chromium.wait("document.getElementById('figures').innerText.includes('fer-base')")
    # Every colour comes through the policy, and nothing was refused by it.
    fill = "getComputedStyle(document.querySelector('.bar.top .fill')).backgroundColor"
    assert chromium.run(fill) == "rgb(250, 200, 60)"
    assert chromium.said == []


def test_a_browser_shows_who_it_is_once_that_is_known(chromium, page, reading, read_face):
    chromium.open(page.url)
    who = "document.querySelector('.face .who')?.textContent"
    for index, (person, shown) in enumerate([("unknown", "Face 3"), ("<b>Ann</b>", "<b>Ann</b>")]):
        time.sleep(0.3)  # the page shows faces five times a second
        page.write(reading([read_face(id=3, person=person)], index, float(index)))
        chromium.wait(f"{who} === '{shown}'")
    chromium.wait("document.querySelector('.face .bars').ariaLabel === '<b>Ann</b>: probabilities'")
    assert chromium.said == []


def test_a_browser_shows_what_was_read_before_it_came(chromium, page, feed, reading, read_face):
    page.write(reading([read_face(emotion="sad", confidence=0.9)]))
    feed(page)
    chromium.open(page.url)
    chromium.wait("document.getElementById('timeline').ariaLabel.includes('sad 48 %')")
    assert chromium.said == []


def test_a_browser_shows_a_board_that_slows_itself_down(chromium, fed, monkeypatch):
    board = Board("Raspberry Pi 4 Model B Rev 1.4", 81.25, ("under-voltage", "throttled"))
    monkeypatch.setattr("edge_fer.status.read_board", lambda: board)
    chromium.open(fed.url)
    rows = "[...document.querySelectorAll('#figures .warn')].map(row => row.innerText).join()"
    chromium.wait(f"{rows}.includes('81.3')")
    assert "under-voltage, throttled" in chromium.run(rows)
    assert b'edge_fer_throttled{reason="under-voltage"} 1' in ask(fed, "/metrics")[2]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_page_fits_its_screen(chromium, fed, tmp_path, width, dark):
    chromium.screen(width, 780, dark=dark, phone=width < 500)
    chromium.open(fed.url)
    chromium.wait("document.querySelectorAll('.face .bar').length === 7")
    chromium.wait("document.getElementById('figures').children.length >= 4")
    assert chromium.run("document.documentElement.scrollWidth") <= width
    assert chromium.run("document.getElementById('pause').offsetHeight") >= 44
    ground = chromium.run("getComputedStyle(document.body).backgroundColor")
    assert (int(re.findall(r"\d+", ground)[0]) < 60) == dark
    chromium.shoot(tmp_path / "page.png")
    assert cv2.imread(str(tmp_path / "page.png")) is not None


def test_pausing_holds_the_view_and_lets_the_stream_go(chromium, fed):
    chromium.open(fed.url)
    chromium.wait("document.getElementById('live').naturalWidth === 96")
    chromium.run("document.getElementById('pause').click()")
    assert chromium.run("document.getElementById('pause').ariaPressed") == "true"
    assert chromium.run("document.getElementById('still').width") == 96
    soon(lambda: b"edge_fer_clients 1" in ask(fed, "/metrics")[2])
    before = fed._hub.encoded
    time.sleep(0.3)
    assert fed._hub.encoded == before
    chromium.run("document.getElementById('pause').click()")
    soon(lambda: fed._hub.encoded > before)


def test_a_lost_connection_is_told_and_found_again(chromium, serve, feed):
    page = serve()
    feed(page)
    chromium.open(page.url)
    chromium.wait("document.getElementById('state-text').innerText === 'Live'")
    page.__exit__(None, None, None)
    chromium.wait("document.getElementById('notice').innerText.startsWith('Connection lost')")
    again = serve(str(port_of(page)))
    feed(again, first=1)
    chromium.wait("document.getElementById('state-text').innerText === 'Live'")
    chromium.wait("document.getElementById('notice').textContent === ''")


def test_a_browser_gets_in_with_the_token(chromium, guarded):
    chromium.open(guarded.url)
    chromium.wait("document.querySelector('input[name=token]') !== null")
    chromium.run("document.querySelector('input').value = 's3cret-taken'")
    chromium.run("document.querySelector('button').click()")
    chromium.wait("document.getElementById('live')?.naturalWidth === 96")
    assert chromium.run("location.href") == guarded.url

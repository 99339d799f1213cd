"""What systemd is told."""

import socket
import time

import pytest

from edge_fer.watchdog import Watchdog


@pytest.fixture(params=["in the file system", "in the kernel's name space"])
def systemd(request, tmp_path):
    name = str(tmp_path / "notify") if request.param == "in the file system" else f"@{tmp_path}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as heard:
        heard.bind("\0" + name[1:] if name.startswith("@") else name)
        heard.settimeout(0.2)
        yield heard, {"NOTIFY_SOCKET": name}


def _heard(listening):
    messages = []
    while True:
        try:
            messages.append(listening.recv(100).decode())
        except TimeoutError:
            return messages


def test_ready_comes_once_and_the_watchdog_is_fed_a_few_times_a_period(systemd):
    heard, environment = systemd
    watchdog = Watchdog({**environment, "WATCHDOG_USEC": "300000"})
    assert _heard(heard) == []  # nothing before the first result
    end = time.monotonic() + 0.35
    while time.monotonic() < end:
        watchdog.alive()
        time.sleep(0.001)
    watchdog.ending()
    first, *others, last = _heard(heard)
    assert first == "READY=1\nWATCHDOG=1"
    assert 2 <= others.count("WATCHDOG=1") == len(others) <= 4
    assert last == "STOPPING=1"


def test_without_a_watchdog_it_says_ready_only(systemd):
    heard, environment = systemd
    watchdog = Watchdog(environment)
    for _ in range(5):
        watchdog.alive()
    assert _heard(heard) == ["READY=1\nWATCHDOG=1"]


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": ""}, {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "soon"}],
    ids=["no systemd", "empty", "gone"],
)
def test_without_systemd_nothing_happens(environment):
    watchdog = Watchdog(environment)
    watchdog.alive()
    watchdog.ending()

"""A run as a service of systemd."""

import shutil
import stat
import subprocess

import pytest
from click.testing import CliRunner

from edge_fer import service
from edge_fer.commands import install_service
from edge_fer.errors import InputError, WorkError
from edge_fer.service import Service

SYSTEMCTL = service._systemctl


@pytest.fixture(autouse=True)
def machine(tmp_path, monkeypatch):
    """A machine whose services lie in a folder of the test's, and whose systemctl only listens."""
    told = []
    monkeypatch.setattr(service, "UNITS", tmp_path / "units")
    monkeypatch.setattr(service, "OTHERS", tmp_path / "system")
    monkeypatch.setattr(service, "SECRETS", tmp_path / "secrets")
    monkeypatch.setattr(service, "_systemctl", lambda *words: told.append(" ".join(words)))
    # Where Python and this checkout lie while the tests run is not what they are about.
    monkeypatch.setattr(install_service, "_HOMES", (str(tmp_path / "home"),))
    monkeypatch.setattr(install_service, "_TEMPORARY", (str(tmp_path / "tmp"),))
    monkeypatch.setattr(install_service.os, "geteuid", lambda: 0)
    for name in ("EDGE_FER_TOKEN", "EDGE_FER_MQTT_PASSWORD", "EDGE_FER_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    return told


@pytest.fixture
def call():
    """Calls the command; what it raises comes through."""

    def run(*arguments):
        runner = CliRunner()
        done = runner.invoke(install_service.command, [*map(str, arguments)], standalone_mode=False)
        if done.exception is not None:
            raise done.exception
        return done

    return run


@pytest.fixture
def settings(call):
    """The settings of the unit that is printed for arguments of run, by name."""

    def read(*arguments):
        lines = call("--print", *arguments).stdout.splitlines()
        found = {}
        for name, _, value in (line.partition("=") for line in lines if "=" in line):
            found.setdefault(name, []).append(value)
        return found

    return read


def _files(folder):
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    "arguments",
    [
        ("picamera", "--serve", "127.0.0.1:8080"),
        ("0", "--serve", "0.0.0.0:8080", "--mqtt", "mqtts://me@broker/kitchen"),
        ("rtsp://camera.local/stream", "--jsonl", 'read "ings" 100%$.jsonl'),
    ],
    ids=["picamera", "everything", "stream"],
)
@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_unit_and_finds_it_safe(call, tmp_path, arguments):
    unit = tmp_path / "edge-fer.service"
    unit.write_text(call("--print", *arguments).stdout)
    analyze = ["systemd-analyze", "verify", "--man=no", unit]
    done = subprocess.run(analyze, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr  # unknown settings are only warned of
    analyze = ["systemd-analyze", "security", "--offline=yes", "--threshold=30", unit]
    done = subprocess.run(analyze, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_a_camera_is_waited_for_and_nothing_but_its_devices_is_seen(settings):
    found = settings("--", "picamera", "--serve", "8080")
    assert found["ExecStart"][0].endswith("/edge-fer run --wait picamera --serve 8080")
    assert {"char-video4linux rw", "char-media rw"} < set(found["DeviceAllow"])
    assert found["DevicePolicy"] == ["closed"]
    assert found["SupplementaryGroups"] == ["video"]
    assert found["DynamicUser"] == ["yes"]
    assert found["IPAddressDeny"] == ["any"]
    assert "PrivateDevices" not in found


def test_without_a_source_it_is_the_first_camera(settings):
    found = settings("--", "--jsonl", "-")
    assert found["ExecStart"][0].endswith("/edge-fer run --wait 0 --jsonl -")
    assert found["DeviceAllow"] == ["char-video4linux rw"]


def test_without_a_camera_there_are_no_devices_and_without_a_use_no_network(settings, make_clip):
    clip = make_clip()
    found = settings("--", clip, "--loop", "--jsonl", "readings.jsonl")
    assert found["PrivateDevices"] == ["yes"]
    assert found["PrivateNetwork"] == ["yes"]
    assert "SupplementaryGroups" not in found
    assert "--wait" not in found["ExecStart"][0]


def test_the_watchdog_is_more_patient_than_the_source_is(settings):
    assert settings("0", "--jsonl", "-")["WatchdogSec"] == ["60"]
    assert settings("0", "--jsonl", "-", "--stall", "30")["WatchdogSec"] == ["120"]


def test_a_user_of_ones_own_may_write_where_it_says(settings, tmp_path):
    found = settings(
        "--user", "root", "0", "--jsonl", tmp_path / "readings.jsonl", "--csv", "a.csv"
    )
    assert found["User"] == ["root"]
    assert "DynamicUser" not in found
    assert found["ProtectHome"] == ["read-only"]
    assert found["ReadWritePaths"] == [f'"{tmp_path}"']


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["0"], "nobody would hear"),
        (["0", "--serve", "nowhere"], "--serve nowhere"),
        (["0", "--mqtt", "http://broker"], "must start with mqtt"),
        (["0", "--jsonl", "-", "--model", "nonsense"], "nonsense"),
        (["0", "--jsonl", "-", "--show"], "no window"),
        (["-", "--jsonl", "-"], "ends"),
        (["clip.mp4", "--jsonl", "-"], "ends"),
        (["clip.mp4", "--loop", "--jsonl", "-"], "whole path"),
        (["/nowhere/clip.mp4", "--loop", "--jsonl", "-"], "clip.mp4"),
        (["0", "--jsonl", "/srv/readings.jsonl"], "--user"),
        (["0", "--jsonl", "../readings.jsonl"], "own folder"),
        (["0", "--jsonl", "a\nb"], "control characters"),
        (["0", "--serve", "8080", "--token", "s3cret"], "EDGE_FER_TOKEN"),
        (["0", "--mqtt", "mqtt://me:s3cret@broker"], "EDGE_FER_MQTT_PASSWORD"),
        (["rtsp://me:s3cret@camera/", "--jsonl", "-"], "EDGE_FER_SOURCE"),
    ],
)
def test_what_would_not_run_as_a_service_is_refused_before_anything_is_written(
    call, tmp_path, machine, arguments, why
):
    with pytest.raises(InputError) as caught:
        call("--", *arguments)
    assert why in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert _files(tmp_path) == machine == []


@pytest.mark.parametrize("arguments", [["--fast"], ["0", "1"], ["0", "--threads", "many"]])
def test_what_is_no_argument_of_run_is_refused(cli, arguments):
    done = cli("install-service", "--print", "--", *arguments)
    assert done.returncode == 2
    assert "Usage: edge-fer run" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize("name", ["", "Edge", "../x", "a b", "edge-fer.service", "x" * 32])
def test_a_name_that_is_none_is_refused(call, name):
    with pytest.raises(InputError, match="cannot be called"):
        call("--name", name, "--print", "0", "--jsonl", "-")


def test_what_lies_in_a_home_folder_is_refused_without_a_user(call, tmp_path, make_clip):
    (tmp_path / "home").mkdir()
    clip = make_clip("home/clip.mp4")
    arguments = (clip, "--loop", "--jsonl", "-")
    with pytest.raises(InputError, match="home folders"):
        call("--print", *arguments)
    assert str(clip) in call("--print", "--user", "root", *arguments).stdout


def test_only_root_installs(call, monkeypatch, tmp_path):
    monkeypatch.setattr(install_service.os, "geteuid", lambda: 1000)
    for arguments in (["0", "--jsonl", "-"], ["--uninstall"]):
        with pytest.raises(InputError, match="sudo"):
            call(*arguments)
    assert _files(tmp_path) == []


def test_it_is_written_started_and_removed(call, tmp_path, machine):
    unit = tmp_path / "units" / "kitchen.service"
    call("--name", "kitchen", "0", "--jsonl", "-")
    assert stat.S_IMODE(unit.stat().st_mode) == 0o644
    assert "--jsonl -" in unit.read_text()
    enable = "enable --quiet kitchen.service"
    restart = "restart --no-block kitchen.service"
    assert machine == ["--version", "daemon-reload", enable, restart]
    call("--name", "kitchen", "0", "--csv", "-")  # its own it replaces
    assert "--csv -" in unit.read_text()
    machine.clear()
    call("--name", "kitchen", "--uninstall")
    assert machine == ["disable --quiet --now kitchen.service", "daemon-reload"]
    assert _files(tmp_path) == []
    with pytest.raises(InputError, match="there is no service kitchen"):
        call("--name", "kitchen", "--uninstall")


@pytest.mark.parametrize("folder", ["units", "system"])
def test_a_unit_of_others_is_left_alone(call, tmp_path, machine, folder):
    unit = tmp_path / folder / "ssh.service"
    unit.parent.mkdir()
    unit.write_text("[Service]\n")
    for arguments in (["0", "--jsonl", "-"], ["--uninstall"]):
        with pytest.raises(InputError, match="not written by edge-fer"):
            call("--name", "ssh", *arguments)
    assert _files(tmp_path) == [unit]
    assert unit.read_text() == "[Service]\n"
    assert machine == []


def test_without_systemd_nothing_is_written(call, monkeypatch, tmp_path):
    monkeypatch.setattr(service, "_systemctl", SYSTEMCTL)
    monkeypatch.setattr(service.shutil, "which", lambda _: None)
    with pytest.raises(WorkError, match="--print"):
        call("0", "--serve", "0.0.0.0:8080")
    assert _files(tmp_path) == []


def test_secrets_go_into_a_file_of_roots(call, tmp_path, monkeypatch):
    file = tmp_path / "secrets" / "edge-fer.env"
    monkeypatch.setenv("EDGE_FER_MQTT_PASSWORD", 'a$b"c\\d')
    monkeypatch.setenv("EDGE_FER_TOKEN", "not used, and so not kept")
    call("0", "--mqtt", "mqtt://me@broker")
    assert file.read_text() == 'EDGE_FER_MQTT_PASSWORD="a\\$b\\"c\\\\d"\n'
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    unit = (tmp_path / "units" / "edge-fer.service").read_text()
    assert f"EnvironmentFile=-{file}" in unit
    assert "a$b" not in unit


def test_a_page_for_the_network_keeps_one_token(call, tmp_path, monkeypatch):
    file = tmp_path / "secrets" / "edge-fer.env"
    call("0", "--serve", "8080")
    assert not file.exists()  # loopback needs none
    call("0", "--serve", "0.0.0.0:8080")
    made = file.read_text()
    assert made.startswith('EDGE_FER_TOKEN="')
    assert len(made) > 40
    call("0", "--serve", "0.0.0.0:8080")
    assert file.read_text() == made
    monkeypatch.setenv("EDGE_FER_TOKEN", "mine")
    call("0", "--serve", "0.0.0.0:8080")
    assert file.read_text() == 'EDGE_FER_TOKEN="mine"\n'


def test_a_streams_password_stays_out_of_the_unit(call, tmp_path, monkeypatch):
    monkeypatch.setenv("EDGE_FER_SOURCE", "rtsp://me:s3cret@camera/")
    call("--", "--jsonl", "-")
    unit = (tmp_path / "units" / "edge-fer.service").read_text()
    assert "s3cret" not in unit
    assert "run --wait --jsonl -" in unit
    assert "s3cret" in (tmp_path / "secrets" / "edge-fer.env").read_text()


@pytest.mark.parametrize(
    ("word", "written"),
    [
        ("plain-1.0", "plain-1.0"),
        ("50%", "50%%"),
        ("$HOME", "$$HOME"),
        ("two words", '"two words"'),
        ('say "hi" \\', '"say \\"hi\\" \\\\"'),
        ("", '""'),
        ("über", '"über"'),
    ],
)
def test_words_are_written_as_systemd_reads_them_back(word, written):
    unit = Service("test", ("/bin/true", word), source="0").unit()
    assert f"\nExecStart=/bin/true {written}\n" in unit

"""A run that systemd keeps going: its unit, written, started and removed.

The unit gives the run what it needs and nothing else; see systemd.exec(5) for the settings.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from edge_fer.errors import InputError, WorkError
from edge_fer.files import write_whole

UNITS = Path("/etc/systemd/system")
OTHERS = Path("/usr/lib/systemd/system")
SECRETS = Path("/etc/edge-fer")
STATE = Path("/var/lib")

_MARK = "# Written by edge-fer install-service"
_UNIT = """\
{mark}, which replaces and removes it.
# Settings of your own: systemctl edit {name}
[Unit]
Description=edge-fer reads emotions ({source})
{after}# Restarts alone stay below this; it stops who asks for more of them.
StartLimitIntervalSec=60
StartLimitBurst=10

[Service]
# Ready with the first reading, and alive as long as readings come.
Type=notify
ExecStart={command}
TimeoutStartSec=180
WatchdogSec={watchdog}
Restart=always
RestartSec=10
# Bad arguments stay bad; ended by SIGTERM is how it is meant to end.
RestartPreventExitStatus=2
SuccessExitStatus=143
TimeoutStopSec=20
EnvironmentFile=-{secrets}

# {state} is its own, and all that it may write.
{user}
StateDirectory={name}
StateDirectoryMode=0750
WorkingDirectory=%S/{name}
Environment=HOME=%S/{name}
UMask=0027
ProtectSystem=strict
ProtectHome={home}
{writable}PrivateTmp=yes

# What it needs of the machine.
{devices}
{network}

# /proc/cpuinfo and the board's name are read, so ProcSubset= stays as it is.
CapabilityBoundingSet=
NoNewPrivileges=yes
ProtectProc=invisible
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
PrivateIPC=yes
KeyringMode=private
LockPersonality=yes
MemoryDenyWriteExecute=yes
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
"""
_DEVICES = {
    None: "PrivateDevices=yes",
    "camera": "DeviceAllow=char-video4linux rw",
    # libcamera: sensor and image processor, how they are joined, and memory they share.
    "picamera": "DeviceAllow=char-video4linux rw\nDeviceAllow=char-media rw\n"
    "DeviceAllow=char-dma_heap rw",
}
_NETWORKS = {
    # Netlink: libcamera asks udev for cameras.
    None: "PrivateNetwork=yes\nRestrictAddressFamilies=AF_UNIX AF_NETLINK",
    "loopback": "IPAddressDeny=any\nIPAddressAllow=localhost\n"
    "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6",
    "all": "RestrictAddressFamilies=AF_UNIX AF_NETLINK AF_INET AF_INET6",
}
_ONLINE = "Wants=network-online.target\nAfter=network-online.target\n"


@dataclass(frozen=True)
class Service:
    """A run that systemd keeps going.

    Attributes:
        name: Of the unit, and of its folder under /var/lib.
        command: The program and its arguments.
        source: What is read, for people.
        camera: ``"camera"`` (Video4Linux), ``"picamera"``, or None: no device is seen.
        network: ``"all"``, ``"loopback"``, or None: it is cut off.
        user: Who runs it; None: a user that exists while it runs.
        watchdog: Seconds without a reading after which it is started again.
        writable: Folders outside its own that it may write to.
    """

    name: str
    command: tuple[str, ...]
    source: str
    camera: Literal["camera", "picamera"] | None = None
    network: Literal["loopback", "all"] | None = None
    user: str | None = None
    watchdog: int = 60
    writable: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,30}", self.name):
            raise InputError(
                f"a service cannot be called {self.name!r}: small letters, digits and -, at most 31"
            )

    @property
    def secrets(self) -> Path:
        """The file of environment variables that only root reads."""
        return SECRETS / f"{self.name}.env"

    def unit(self) -> str:
        """The text of the unit.

        Raises:
            InputError: An argument holds what no unit can: a line break, say.
        """
        user = f"User={self.user}" if self.user else "DynamicUser=yes"
        devices = _DEVICES[self.camera]
        if self.camera:
            devices = f"DevicePolicy=closed\n{devices}\nSupplementaryGroups=video"
        return _UNIT.format(
            mark=_MARK,
            name=self.name,
            source=_specifier_free(_plain(self.source)),
            after=_ONLINE if self.network == "all" else "",
            command=" ".join(_word(word) for word in self.command),
            watchdog=self.watchdog,
            secrets=self.secrets,
            state=STATE / self.name,
            user=user,
            home="read-only" if self.user else "yes",
            writable="".join(
                f"ReadWritePaths={_quoted(_specifier_free(str(path)))}\n" for path in self.writable
            ),
            devices=devices,
            network=_NETWORKS[self.network],
        )


def install(service: Service, secrets: Mapping[str, str], defaults: Mapping[str, str]) -> None:
    """Write the unit, and start the service now and at every start of the machine.

    Args:
        service: What to run.
        secrets: Environment variables for it, kept in its file beside those that it has already.
        defaults: The same, where the file has none of that name.

    Raises:
        InputError: A unit of that name exists that is not edge-fer's.
        WorkError: A file cannot be written, or systemctl fails.
    """
    unit = _own_unit(service.name)
    text = service.unit()
    _systemctl("--version")  # whether it is there at all, before anything is written
    _keep(service.secrets, secrets, defaults)
    with write_whole(unit) as part:
        part.write_text(text)
        part.chmod(0o644)
    _systemctl("daemon-reload")
    _systemctl("enable", "--quiet", unit.name)
    # It is ready only with the first reading, which may take until a camera is plugged in.
    _systemctl("restart", "--no-block", unit.name)


def remove(name: str) -> None:
    """Stop the service and remove its unit; what it wrote, and its secrets, stay.

    Args:
        name: Of the service.

    Raises:
        InputError: There is no such service, or it is not edge-fer's.
        WorkError: systemctl fails.
    """
    unit = _own_unit(name)
    if not unit.exists():
        raise InputError(f"there is no service {name}: {unit} does not exist")
    _systemctl("disable", "--quiet", "--now", unit.name)
    unit.unlink()
    _systemctl("daemon-reload")


def _own_unit(name: str) -> Path:
    unit = UNITS / f"{name}.service"
    # Of two units of one name, the one in /etc counts.
    for other in (unit, OTHERS / unit.name):
        if other.exists() and not other.read_text(errors="replace").startswith(_MARK):
            raise InputError(f"{other} was not written by edge-fer; choose another --name")
    return unit


def _keep(file: Path, secrets: Mapping[str, str], defaults: Mapping[str, str]) -> None:
    """Put variables into an environment file that nobody but root can read."""
    lines = file.read_text().splitlines() if file.exists() else []
    old = {line.partition("=")[0].strip(): line for line in lines}
    new = {name: value for name, value in defaults.items() if name not in old} | dict(secrets)
    if not new:
        return
    lines = [line for name, line in old.items() if name not in new]
    lines += [f"{name}={_quoted(value, '$`')}" for name, value in new.items()]
    with write_whole(file) as part:
        part.touch(0o600)
        part.write_text("\n".join(lines) + "\n")


def _word(text: str) -> str:
    """A word of a command line, as systemd reads it back: see systemd.service(5)."""
    text = _specifier_free(text).replace("$", "$$")
    return text if re.fullmatch(r"[\w@%+=:,./$\[\]~-]+", text, re.ASCII) else _quoted(text)


def _specifier_free(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str, special: str = "") -> str:
    for character in ("\\", '"', *special):
        text = text.replace(character, f"\\{character}")
    return f'"{_plain(text)}"'


def _plain(text: str) -> str:
    if not text.isprintable():
        raise InputError(f"{text!r} cannot stand in a systemd unit: it has control characters")
    return text


def _systemctl(*arguments: str) -> None:
    program = shutil.which("systemctl")
    if program is None or not Path("/run/systemd/system").is_dir():
        raise WorkError("systemd does not run this machine; --print shows the unit")
    done = subprocess.run(
        [program, *arguments], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"]
        raise WorkError(f"systemctl {' '.join(arguments)}: {lines[-1]}")

"""The command ``edge-fer``: commands, exit codes and signals; all the rest is the library's.

Exit codes: 0 done; 2 bad input or usage; 1 failure at work; 130 and 143 ended by a signal.
"""

from __future__ import annotations

import faulthandler
import importlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from edge_fer.errors import InputError, ReaderGoneError, WorkError

_COMMANDS = (
    "train",
    "convert",
    "import",
    "run",
    "enroll",
    "people",
    "evaluate",
    "benchmark",
    "models",
    "doctor",
    "install-service",
)
_MODULES = {"import": "import_model"}  # whose names Python keeps for itself


class _Commands(click.Group):
    """Loads a command's module when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        module = _MODULES.get(cmd_name, cmd_name.replace("-", "_"))
        command = importlib.import_module(f"edge_fer.commands.{module}").command
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="edge-fer", prog_name="edge-fer")
def cli() -> None:
    """Facial-emotion recognition for small devices: train, convert to int8, run, benchmark."""


class Terminated(BaseException):
    """SIGTERM or SIGHUP, as an exception, so that every file is left whole on the way out."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(
    arguments: list[str] | None = None, command: click.Command = cli, name: str = "edge-fer"
) -> None:
    """Run the command and exit with its code.

    Args:
        arguments: Instead of those the process was given.
        command: Another than ``edge-fer``, which is to behave like it.
        name: What it is called in its help.
    """
    _open_closed_streams()
    with _native_chatter_hidden():
        code = _run(arguments, command, name)
        _flush()
    sys.exit(code)


def _run(arguments: list[str] | None, command: click.Command, name: str) -> int:
    logging.basicConfig(format="edge-fer: %(message)s", level=logging.WARNING, stream=sys.stderr)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    try:
        code = command.main(arguments, prog_name=name, standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as e:
        e.show()
        return e.exit_code
    except InputError as e:
        click.echo(f"edge-fer: {e}", err=True)
        return 2
    except ReaderGoneError:
        return 0
    except WorkError as e:
        click.echo(f"edge-fer: {e}", err=True)
        return 1
    except (KeyboardInterrupt, click.Abort):
        click.echo("edge-fer: interrupted", err=True)
        return 128 + signal.SIGINT
    except Terminated as e:
        click.echo("edge-fer: terminated", err=True)
        return 128 + e.number


def _open_closed_streams() -> None:
    """Open to nowhere what was closed at the start (``2>&-``).

    Else the next file that is opened takes its number, and is written to as standard error.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) < 3:
        pass
    os.close(number)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _terminate(number: int, _frame: FrameType | None) -> None:
    raise Terminated(number)


def _flush() -> None:
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _native_chatter_hidden() -> Iterator[None]:
    """Send what native libraries write to the standard error's descriptor nowhere.

    TensorFlow, MediaPipe, LiteRT and FFmpeg log there on their own, past every setting of theirs;
    Python's ``sys.stderr`` keeps the real one. ``EDGE_FER_NATIVE_LOG=1`` lets all of it through.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if os.environ.get("EDGE_FER_NATIVE_LOG"):
        yield
        return
    sys.stderr.flush()
    real = os.dup(2)
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    os.close(silence)
    before, sys.stderr = (
        sys.stderr,
        os.fdopen(real, "w", buffering=1, errors="backslashreplace"),
    )
    # A library that ends the process says why where nobody reads it; say at least where it was.
    faulthandler.enable(sys.stderr)
    try:
        yield
    finally:
        faulthandler.disable()
        sys.stderr.flush()
        os.dup2(real, 2)
        sys.stderr = before

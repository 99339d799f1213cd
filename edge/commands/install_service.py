"""``edge-fer install-service``: keep a run going with systemd."""

from __future__ import annotations

import ipaddress
import os
import pwd
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

import click
from click.core import ParameterSource

from edge_fer.commands.run import command as run
from edge_fer.commands.talk import say, write_out
from edge_fer.errors import InputError
from edge_fer.packages import require
from edge_fer.sinks.broker import PASSWORD_VARIABLE
from edge_fer.sources import kind_of, open_once

if TYPE_CHECKING:
    from edge_fer.service import Service

_HOMES = ("/home", "/root", "/run/user")
_TEMPORARY = ("/tmp", "/var/tmp")


@click.command(
    "install-service",
    context_settings={"allow_interspersed_args": False},
    short_help="Keep a run going with systemd, from every start of the machine.",
)
@click.option("--name", default="edge-fer", show_default=True, help="What the service is called.")
@click.option("--user", help="Run as this user. Default: one that exists only while it runs.")
@click.option("--print", "only_print", is_flag=True, help="Write the unit to standard output only.")
@click.option("--uninstall", is_flag=True, help="Stop the service and remove its unit.")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[--] [ARGUMENTS OF RUN]...")
def command(
    name: str, user: str | None, only_print: bool, uninstall: bool, arguments: tuple[str, ...]
) -> int:
    """Have systemd run edge-fer run ARGUMENTS now, and from every start of the machine.

    The run is watched and started again when it fails or hangs. It reaches no device but its
    camera, and writes to no folder but its own, /var/lib/NAME: --save, --jsonl and --csv go there.

    Secrets are taken from the environment and not from the command line, which everybody on the
    machine can read: EDGE_FER_TOKEN (--serve), EDGE_FER_MQTT_PASSWORD, and EDGE_FER_SOURCE for a
    stream's address with a password. They are kept in /etc/edge-fer/NAME.env, for root alone.
    """
    from edge_fer import service

    if uninstall:
        if arguments or only_print:
            raise click.UsageError("--uninstall takes nothing but --name")
        _need_root()
        service.remove(name)
        say(f"{name} is stopped and removed; /var/lib/{name} and its secrets stay")
        return 0
    context = run.make_context("edge-fer run", list(arguments))
    _check_outputs(context.params, user)
    _check_inputs(context.params, user)
    _check_secrecy(context)
    planned = _plan(name, user, arguments, context)
    text = planned.unit()
    if only_print:
        write_out(text)
        return 0
    _need_root()
    made = {"EDGE_FER_TOKEN": token_urlsafe(24)} if _others_reach(context.params["serve"]) else {}
    service.install(planned, _secrets(context), made)
    say(f"{name} runs, now and from every start of the machine")
    say(f"  how it is:  systemctl status {name}")
    say(f"  its log:    journalctl -fu {name}")
    if planned.secrets.exists():
        say(f"  secrets:    sudo cat {planned.secrets}")
    return 0


def _plan(name: str, user: str | None, arguments: Sequence[str], context: click.Context) -> Service:
    """The service for ``edge-fer run ARGUMENTS``, which have been checked."""
    from edge_fer.service import Service

    options = context.params
    source, kind = options["source"], kind_of(options["source"])
    words = [str(_program(user)), "run"]
    if kind in ("camera", "picamera", "stream"):
        words.append("--wait")
    if context.get_parameter_source("source") is ParameterSource.DEFAULT:
        words.append(source)
    return Service(
        name,
        (*words, *arguments),
        source="a stream" if kind == "stream" else source,
        camera=kind if kind in ("camera", "picamera") else None,
        network=_network(options),
        user=user,
        watchdog=max(60, round(4 * options["stall"])),
        writable=tuple(sorted({p.parent for p in _written(options) if p.is_absolute()})),
    )


def _check_inputs(options: dict[str, Any], user: str | None) -> None:
    """Whether source, model and detector are what a service can read."""
    from edge_fer.classifier import Classifier
    from edge_fer.detector import open_detector
    from edge_fer.models import model_names

    source, model, kind = options["source"], options["model"], kind_of(options["source"])
    if kind == "stdin" or (kind == "file" and not options["loop"]):
        raise InputError(
            f"a service goes on for ever, and {source} ends: name a camera, a stream, or a video"
            " with --loop"
        )
    if kind == "file":
        _check_seen(Path(source), user)
        with open_once(source, loop=True):
            pass
    if model != "auto":
        if model not in model_names():
            _check_seen(Path(model), user)
        Classifier(model)
    with open_detector(options["detector"], options["min_score"]):
        pass
    if user:
        try:
            pwd.getpwnam(user)
        except KeyError:
            raise InputError(f"--user {user}: there is no such user") from None


def _check_outputs(options: dict[str, Any], user: str | None) -> None:
    """Whether anybody hears of what is read, where a service may write and listen."""
    from edge_fer.sinks.broker import parse_broker
    from edge_fer.web.address import parse_address

    if options["show"] or options["report"]:
        raise InputError("a service has no window and no end: leave --show and --report out")
    if not any(options[name] for name in ("serve", "mqtt", "save", "jsonl", "table")):
        raise InputError("nobody would hear of it: add --serve, --mqtt, --save, --jsonl or --csv")
    if options["serve"]:
        parse_address(options["serve"])
        require("the web page", "starlette", "uvicorn")
    if options["mqtt"]:
        parse_broker(options["mqtt"])
        require("--mqtt", "paho")
    for path in _written(options):
        if ".." in path.parts:
            raise InputError(f"{path}: a service writes below its own folder")
        if path.is_absolute() and not user:
            raise InputError(
                f"{path}: a service writes to /var/lib/NAME: leave the folder out, or name a --user"
            )
        if path.is_absolute():
            _check_seen(path.parent, user)
            if not path.parent.is_dir():
                raise InputError(f"{path}: there is no folder {path.parent}")


def _check_secrecy(context: click.Context) -> None:
    """Whether the command line, which everybody can read, holds a secret."""
    from edge_fer.sources.video import without_password

    def said(name: str) -> bool:
        return context.get_parameter_source(name) is ParameterSource.COMMANDLINE

    source, mqtt = context.params["source"], context.params["mqtt"]
    if said("token"):
        what, variable = "--token", "EDGE_FER_TOKEN"
    elif mqtt and urlsplit(mqtt).password is not None:
        what, variable = "the password in --mqtt", PASSWORD_VARIABLE
    elif said("source") and kind_of(source) == "stream" and without_password(source) != source:
        what, variable = "a source with a password", "EDGE_FER_SOURCE"
    else:
        return
    raise InputError(
        f"{what}: everybody on the machine reads a service's command line; leave it out, set"
        f" {variable} and call sudo --preserve-env={variable}"
    )


def _secrets(context: click.Context) -> dict[str, str]:
    """The environment variables that the run uses."""
    options = context.params
    used = {
        "EDGE_FER_TOKEN": options["serve"],
        PASSWORD_VARIABLE: options["mqtt"],
        "EDGE_FER_SOURCE": context.get_parameter_source("source") is ParameterSource.ENVIRONMENT,
    }
    return {name: os.environ[name] for name, use in used.items() if use and os.environ.get(name)}


def _written(options: dict[str, Any]) -> list[Path]:
    targets = (options["save"], options["jsonl"], options["table"])
    return [Path(target) for target in targets if target and str(target) != "-"]


def _network(options: dict[str, Any]) -> Literal["loopback", "all"] | None:
    """How much of the network the run has to reach."""
    if options["mqtt"] or kind_of(options["source"]) == "stream" or _others_reach(options["serve"]):
        return "all"
    return "loopback" if options["serve"] else None


def _others_reach(serve: str | None) -> bool:
    from edge_fer.web.address import parse_address

    if not serve:
        return False
    host = parse_address(serve).host
    try:
        return not ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host != "localhost"


def _program(user: str | None) -> Path:
    """This installation's command, where a service can start it."""
    import edge_fer

    for place in (sys.prefix, sys.base_prefix, edge_fer.__path__[0]):
        _check_seen(Path(place), user)
    return Path(sysconfig.get_path("scripts")) / "edge-fer"


def _check_seen(path: Path, user: str | None) -> None:
    """Whether a service sees a place at all."""
    hidden = _TEMPORARY if user else (*_TEMPORARY, *_HOMES)
    if not path.is_absolute():
        raise InputError(f"{path}: a service runs in a folder of its own; give the whole path")
    if any(path.resolve().is_relative_to(place) for place in hidden):
        raise InputError(
            f"{path}: a service sees neither /tmp nor, without --user, home folders; put it"
            " elsewhere (deploy/install.sh installs to /opt/edge-fer)"
        )


def _need_root() -> None:
    if os.geteuid() != 0:
        raise InputError("a service belongs to the system: call this with sudo")

"""``edge-fer enroll``: make a person known."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from edge_fer.commands.options import detector_option, embedder_option, people_option
from edge_fer.commands.talk import say

if TYPE_CHECKING:
    from edge_fer.detector import Detector
    from edge_fer.identity import Embedder
    from edge_fer.identity.enrolment import Look

_LOOKS, _APART, _PATIENCE = 5, 0.7, 30.0
"""Looks that a camera takes, seconds between them, and seconds after which it gives up."""


@click.command("enroll", short_help="Make a person known, to be named by run --identify.")
@click.argument("name")
@click.argument("images", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--camera",
    is_flag=False,
    flag_value="0",
    metavar="[SOURCE]",
    help="Look through a camera (default 0) or any other source that run takes.",
)
@click.option("--keep-pictures", is_flag=True, help="Also store the pictures of the face.")
@people_option
@embedder_option
@detector_option
def command(
    name: str,
    images: tuple[Path, ...],
    camera: str | None,
    keep_pictures: bool,
    store: Path | None,
    embedder: str,
    detector: str,
) -> None:
    """Enrol NAME by pictures of them alone, IMAGES, or by looking through a camera.

    Three to five pictures in different light are best. What is stored are numbers that a network
    makes of the face, on this machine only; ask the person first. A name that is known already
    gets the new pictures too.
    """
    from edge_fer.detector import open_detector
    from edge_fer.errors import InputError
    from edge_fer.identity import open_embedder
    from edge_fer.identity.people import People, checked_name, default_path

    if bool(images) == (camera is not None):
        raise InputError(f"{name!r} is enrolled by pictures or by --camera; give one of the two")
    name, network = checked_name(name), open_embedder(embedder)
    with open_detector(detector) as finder:
        if camera is None:
            looks = _from_pictures(images, finder, network)
        else:
            looks = _from_camera(camera, finder, network)
    if not looks:
        raise InputError(f"{name!r} is not enrolled: nothing that was seen is good enough")
    with People(store or default_path()) as people:
        other, likeness = people.gallery(network.network).most_alike(looks[0].embedding)
        if likeness >= network.threshold and other != name:
            say(f"edge-fer: note: {name} looks like {other}, who is enrolled ({likeness:.3f})")
        pictures = [look.picture for look in looks] if keep_pictures else None
        people.add(name, network.network, [look.embedding for look in looks], pictures)
        plural = "s" if len(looks) > 1 else ""
        say(f"edge-fer: {name} is enrolled with {len(looks)} look{plural} in {people.path}")


def _from_pictures(images: tuple[Path, ...], detector: Detector, embedder: Embedder) -> list[Look]:
    from edge_fer.errors import SourceError
    from edge_fer.identity.enrolment import look_at
    from edge_fer.sources import open_source

    looks = []
    for image in images:
        try:
            with open_source(str(image)) as source:
                for frame in source:
                    look = look_at(frame.pixels, detector, embedder)
                    if isinstance(look, str):
                        say(f"edge-fer: {frame.name or image}: {look}")
                    else:
                        looks.append(look)
        except SourceError as e:
            say(f"edge-fer: {e}")
    return looks


def _from_camera(camera: str, detector: Detector, embedder: Embedder) -> list[Look]:
    from edge_fer.identity.enrolment import look_at
    from edge_fer.sources import open_source

    looks: list[Look] = []
    due, told = 0.0, ""
    with open_source(camera, on_event=lambda text: say(f"edge-fer: {text}")) as source:
        for frame in source:
            if frame.time >= due:
                look = look_at(frame.pixels, detector, embedder)
                if not isinstance(look, str):
                    looks.append(look)
                    due, told = frame.time + _APART, ""
                    say(f"edge-fer: {len(looks)} of {_LOOKS}")
                elif look != told:
                    told = look
                    say(f"edge-fer: {look}")
            if len(looks) == _LOOKS or frame.time > _PATIENCE:
                break
    return looks

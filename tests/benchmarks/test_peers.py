"""Peers side by side: what is asked, what is counted, and that no failure is lost."""

import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from toy_data import toy_dataset, toy_votes

from edge_fer.benchmarks.accuracy import evaluate
from edge_fer.benchmarks.peers import environment
from edge_fer.benchmarks.peers.catalogue import WORKERS, Peer, all_peers, choose_peers
from edge_fer.benchmarks.peers.compare import compare
from edge_fer.benchmarks.peers.environment import EdgeFer, Installed, NodePackages, PythonPackages
from edge_fer.benchmarks.peers.material import hits, write_clip, write_pixels
from edge_fer.benchmarks.peers.process import PeerError, Process, last_line
from edge_fer.benchmarks.peers.report import NOTES, markdown, tables
from edge_fer.detector import open_detector
from edge_fer.errors import InputError
from edge_fer.labels import FER_LABELS
from edge_fer.models import find_model
from edge_fer.sources.video import Video

# Sees happiness everywhere and finds one face, where the options say so.
TOY = f"""
import os, sys, time
sys.path.insert(0, {str(WORKERS)!r})
import protocol

class Toy:
    def __init__(self, options):
        self.box, self.frames = options.get("box", [1, 2, 3, 4]), options.get("frames", 99)

    def begin(self, fps):
        self.fps = fps

    def frame(self, pixels, index):
        if index >= self.frames:
            raise ValueError("frame %d is too much for me" % index)
        return [self.box]

    def face(self, pixels):
        return {{"happiness": 0.7, "anger": 0.3, "fearful": 0, "disgusted": 0, "sad": 0,
                "surprised": 0, "neutral": 0, "contempt": 0}}

def load(options):
    with protocol.importing():
        exec(options.get("code", ""))
    print("libraries talk on standard output")
    return Toy(options)

protocol.serve(load)
"""


@dataclass(frozen=True)
class ThisPython:
    """The interpreter that runs the tests."""

    name: str = "this"

    def make(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        return Installed((sys.executable,), folder, 12.3, {"fer": "25.10.3"})


@dataclass(frozen=True)
class Missing:
    """What is in no registry."""

    name: str = "missing"

    def make(self, folder):
        raise PeerError("ERROR: No matching distribution found for nonesuch")


@pytest.fixture
def toy_peer(tmp_path):
    """Makes a peer that runs the toy worker."""
    worker = tmp_path / "toy_worker.py"
    worker.write_text(TOY)

    def make(name="toy", classifier="toy classifier", **options):
        return Peer(name, ThisPython(), worker, options, classifier)

    return make


@pytest.fixture(scope="module")
def faces():
    data = toy_dataset(training=1, public=1, private=2)
    return replace(data, votes=toy_votes(data)).split("private")


@pytest.fixture
def start(tmp_path):
    """Starts a peer's worker in this Python."""
    started = []

    def run(peer, timeout=500):
        command = [sys.executable, str(peer.worker), json.dumps(peer.options)]
        core = min(os.sched_getaffinity(0))
        process = Process(command, tmp_path, tmp_path / "log", core, timeout)
        started.append(process)
        return process

    yield run
    for process in started:
        process.__exit__()


def test_every_failure_is_listed_and_ends_nothing_else(toy_peer, faces, make_clip, tmp_path):
    clip = make_clip("face.avi", frames=3)
    peers = [
        toy_peer("good"),
        Peer("nowhere", Missing(), Path("none.py"), {}, "other"),
        toy_peer("import", "other", code="import nonesuch"),
        toy_peer("late", frames=2),
        toy_peer("abort", code="import os; os.abort()"),
    ]
    steps = []
    results = compare(peers, faces, [clip], tmp_path / "work", rounds=2, on_step=steps.append)
    by_name = {result.name: result for result in results}
    assert list(by_name) == [peer.name for peer in peers]
    good = by_name["good"]
    assert good.failure is None
    assert good.accuracy["fer2013"].accuracy == pytest.approx(1 / 7, abs=1e-4)
    assert good.accuracy["fer2013"].n == len(faces)
    assert good.accuracy["ferplus"].n < len(faces)  # some are unknown or contempt
    assert good.clips["face.avi"].faces == 3
    assert (good.clips["face.avi"].found, good.clips["face.avi"].extra) == (0, 3)
    assert good.peak_mib >= good.memory_mib > 1
    assert good.first_ms > good.import_ms >= 0
    assert good.megabytes == 12.3

    assert by_name["nowhere"].failure.startswith("not installed: ERROR: No matching distribution")
    assert "No module named 'nonesuch' (exit code 1)" in by_name["import"].failure
    assert by_name["late"].failure == "ValueError: frame 2 is too much for me (exit code 1)"
    assert by_name["late"].accuracy == good.accuracy
    assert by_name["late"].clips == {}
    assert "SIGABRT" in by_name["abort"].failure
    assert steps.count("good: round 2 of 2") == 1

    titles = [table.title for table in tables(results)]
    assert titles[0].startswith("Classifiers on FER-2013's PrivateTest (n = 14, n = ")
    assert titles[1:] == ["Whole pipelines on face.avi (3 faces)", "Not measured to the end"]
    assert [row[0] for row in tables(results)[1].rows] == ["good"]
    assert [row[0] for row in tables(results)[2].rows] == list(by_name)[1:]


def test_classifiers_are_named_once_and_markdown_tables_are_whole(
    toy_peer, faces, make_clip, tmp_path
):
    peers = [toy_peer("one"), toy_peer("two"), toy_peer("detector", None)]
    clip = make_clip("face.avi", frames=2)
    results = compare(peers, faces, [clip], tmp_path / "work", rounds=1)
    classifiers, pipelines = tables(results)
    assert [row[0] for row in classifiers.rows] == ["toy classifier"]
    assert [row[0] for row in pipelines.rows] == ["one", "two", "detector"]
    machine = {"board": "A Board", "processor": "p", "system": "Linux", "python": "3.11"}
    text = markdown(results, machine)
    assert "Measured on A Board, Linux, Python 3.11: fer 25.10.3." in text
    assert "| --- | ---: | ---: | ---: |" in text
    for block in text.split("\n\n"):
        if block.startswith("|"):
            assert len({line.count("|") for line in block.splitlines()}) == 1
    assert all(note in text for note in NOTES)


def test_frames_arrive_in_the_order_of_channels_that_a_peer_takes(tmp_path):
    picture = np.arange(2 * 3 * 3, dtype=np.uint8).reshape(2, 3, 3)
    pixels = write_pixels([picture, picture[::-1].copy()], tmp_path / "frames", fps=5)
    request = pixels.request("frames", "rgb", most=1)
    assert (request["count"], request["height"], request["width"]) == (1, 2, 3)
    assert request["fps"] == 5
    bgr = np.fromfile(pixels.request("frames", "bgr")["path"], np.uint8).reshape(2, 2, 3, 3)
    rgb = np.fromfile(request["path"], np.uint8).reshape(2, 2, 3, 3)
    assert (bgr[0] == picture).all()
    assert (rgb == bgr[..., ::-1]).all()


@pytest.mark.parametrize(
    ("boxes", "found"),
    [
        ([(10, 10, 20, 20)], 1),
        ([(5, 4, 28, 34)], 1),  # with hair and ears
        ([(10, 10, 20, 20), (12, 10, 20, 20)], 1),  # twice the same
        ([(0, 0, 60, 60)], 0),  # the whole person
        ([(26, 10, 20, 20)], 0),  # beside it
        ([(12, 12, 20, 20), (102, 98, 20, 22)], 2),
        ([], 0),
    ],
)
def test_a_box_tells_a_face_however_it_is_framed(boxes, found):
    assert hits([(10, 10, 20, 20), (100, 100, 20, 20)], boxes) == found


def test_the_worker_has_one_core_and_no_thread_more(toy_peer, start):
    code = "self_core = os.sched_getaffinity(0); assert len(self_core) == 1, self_core; "
    code += "assert os.environ['OMP_NUM_THREADS'] == '1'; assert not os.environ['PYTHONPATH']"
    before = os.sched_getaffinity(0)
    assert start(toy_peer(code=code)).import_ms >= 0
    assert os.sched_getaffinity(0) == before


def test_a_worker_that_hangs_is_ended(toy_peer, start):
    with pytest.raises(PeerError, match="no answer within 1 s"):
        start(toy_peer(code="time.sleep(600)"), timeout=1)


def test_our_worker_is_as_right_as_evaluate_and_finds_what_the_detector_finds(
    start, faces, make_clip, tmp_path
):
    options = {"model": "fer-base", "detector": "blazeface", "detect_every": 1}
    process = start(Peer("ours", ThisPython(), WORKERS / "edge_fer_pipeline.py", options))
    pixels = write_pixels(faces.pixels, tmp_path / "faces")
    answer = process.ask(pixels.request("faces", "bgr"))
    assert tuple(answer["names"]) == FER_LABELS
    named = np.array(answer["probabilities"]).argmax(1)
    right = float((named == faces.labels).mean())
    assert right == evaluate(find_model("fer-base"), faces, "private")["fer2013"].scores.accuracy
    clip = write_clip(make_clip("face.avi", frames=4), tmp_path / "clip")
    answer = process.ask(clip.pixels.request("frames", "bgr"))
    assert sum(map(len, clip.faces)) == 4
    assert sum(map(hits, clip.faces, answer["boxes"])) == 4
    assert len(answer["ms"]) == 4
    again = process.ask(clip.pixels.request("frames", "bgr"))
    assert again["boxes"] == answer["boxes"]  # each time without a past


def test_mediapipe_alone_finds_the_same_faces(start, make_clip, tmp_path):
    pytest.importorskip("mediapipe")
    (peer,) = choose_peers(["mediapipe"])
    video = make_clip("face.avi", frames=2)
    clip = write_clip(video, tmp_path / "clip")
    answer = start(peer).ask(clip.pixels.request("frames", peer.color))
    with open_detector("mediapipe") as detector, Video(video) as source:
        boxes = [[list(face.box) for face in detector.detect(f.pixels)] for f in source]
    assert answer["boxes"] == boxes


def test_peers_are_chosen_by_the_beginning_of_their_names():
    assert [p.name for p in choose_peers(["fer, M", "face-api"])] == ["fer, MTCNN", "face-api.js"]
    assert choose_peers([]) == all_peers()
    names = [peer.name for peer in all_peers()]
    assert len(set(names)) == len(names)
    assert {p.environment.name for p in choose_peers(["edge-fer"])} == {
        "edge-fer",
        "edge-fer-mediapipe",
    }
    for peer in all_peers():
        assert peer.worker.is_file()
    with pytest.raises(InputError, match="no peer's name begins with 'deepface'"):
        choose_peers(["deepface"])


def test_an_environment_is_made_once_and_again_when_it_is_to_be_another(tmp_path, monkeypatch):
    ran = []

    def run(command, folder=None):
        ran.append(command)
        place = tmp_path / "toy"
        if "venv" in command:
            (place / "bin").mkdir(parents=True)
            (place / "bin" / "python").write_bytes(bytes(1_000_000))
        if "install" in command:
            (place / "wheel").write_bytes(bytes(2_500_000))
        if "uninstall" in command:
            (place / "wheel").unlink()
        return '[{"name": "toy", "version": "1.5"}]' if "list" in command else ""

    monkeypatch.setattr(environment, "_run", run)
    packages = PythonPackages("toy", ("toy==1.5",), removed=("wheel",))
    place = packages.make(tmp_path / "toy")
    assert place.megabytes == 2.5  # with what was removed, without the interpreter
    assert place.versions == {"toy": "1.5"}
    steps = len(ran)
    assert packages.make(tmp_path / "toy") == place
    assert len(ran) == steps
    assert replace(packages, requirements=("toy==1.6",)).make(tmp_path / "toy").megabytes == 2.5
    assert len(ran) == 2 * steps


def test_an_installation_that_fails_says_why_and_is_not_kept(tmp_path, monkeypatch):
    real = environment._run

    def run(command, folder=None):  # pip of this Python: making an environment takes long
        return "" if "venv" in command else real([sys.executable, *command[1:]], folder)

    monkeypatch.setattr(environment, "_run", run)
    packages = PythonPackages("toy", ("--no-index", "nonesuch-package"))
    with pytest.raises(PeerError, match="No matching distribution found for nonesuch-package"):
        packages.make(tmp_path / "toy")
    # Nothing says that it is made.
    assert not list((tmp_path / "toy").glob("*.json"))


def test_our_environment_asks_for_the_device_install_and_the_extra(monkeypatch):
    needs = ["click>=8.1", "mediapipe<2,>=1.2; extra == 'mediapipe'", 'x; extra == "train"']
    monkeypatch.setattr(environment.importlib.metadata, "requires", lambda _: needs)
    asked = []
    monkeypatch.setattr(
        PythonPackages, "make", lambda self, _: asked.append(self.requirements) or 1 / 0
    )
    for extra in ("", "mediapipe"):
        with pytest.raises(ZeroDivisionError):
            EdgeFer("ours", extra).make(Path())
    assert asked == [("click>=8.1",), ("click>=8.1", "mediapipe<2,>=1.2")]


def test_without_node_face_api_is_a_failure_of_its_own(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(PeerError, match=r"Node\.js with npm is not installed"):
        NodePackages("js", {"left-pad": "1"}).make(tmp_path / "js")


def test_the_reason_is_the_last_line_that_says_something():
    assert last_line("npm error 404 gone\nnpm error A complete log of this run is in: x\n\n") == (
        "npm error 404 gone"
    )
    assert last_line("") == "no message"


def test_the_command_refuses_an_unknown_peer_and_shows_its_help(make_clip, tmp_path):
    from click.testing import CliRunner

    from edge_fer.benchmarks.peers.__main__ import command

    told = CliRunner().invoke(command, ["--help"])
    assert told.exit_code == 0
    assert "CLIPS..." in told.output
    wrong = CliRunner().invoke(
        command,
        [
            str(make_clip()),
            *("--data", "none.csv", "--work", str(tmp_path / "work"), "--only", "deepface"),
        ],
    )
    assert isinstance(wrong.exception, InputError)
    assert not (tmp_path / "work").exists()

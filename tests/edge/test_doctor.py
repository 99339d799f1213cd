"""What the doctor finds, on machines that are made up and on this one."""

import json
import os
import subprocess
import sys

import pytest

from edge_fer import doctor
from edge_fer.board import Board
from edge_fer.doctor import cameras, machine, models, probes, software
from edge_fer.doctor.check import Check
from edge_fer.doctor.probes import Outcome, try_out
from edge_fer.doctor.software import Requirement
from edge_fer.models import model_names

PI_5 = Board("Raspberry Pi 5 Model B Rev 1.0", 48.5, ())


class Tries:
    """Answers in the place of a process; remembers what was tried."""

    def __init__(self, found=None, error="", ended=False, **of):
        self.outcome, self.of, self.tried = Outcome(found or {}, error, ended), of, []

    def __call__(self, probe, *arguments):
        self.tried.append((probe, *arguments))
        return self.of.get(arguments[0] if arguments else probe, self.outcome)


def _start(monkeypatch, program):
    monkeypatch.setattr(probes, "_START", program)
    return try_out("numpy", limit=5)


def test_what_ends_a_process_is_a_finding(monkeypatch):
    outcome = _start(monkeypatch, "import os, signal; os.kill(os.getpid(), signal.SIGILL)")
    assert outcome == Outcome({}, "it ends the process (SIGILL)", ended=True)


def test_an_exception_is_its_last_line(monkeypatch):
    outcome = _start(monkeypatch, "raise ImportError('libGL.so.1: cannot open')")
    assert outcome == Outcome({}, "ImportError: libGL.so.1: cannot open")


def test_what_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(probes, "_START", "import time; time.sleep(60)")
    outcome = try_out("numpy", limit=0.3)
    assert outcome.ended
    assert "hangs" in outcome.error


@pytest.mark.parametrize("program", ["", "print('no JSON')", "import os; os._exit(0)"])
def test_a_process_that_does_not_answer_is_a_finding(monkeypatch, program):
    assert _start(monkeypatch, program).error


def test_libraries_may_chatter_before_the_answer(monkeypatch):
    assert _start(monkeypatch, "print('hello'); print('{\"a\": 1}')") == Outcome({"a": 1})


def test_the_working_folder_is_not_imported_from(monkeypatch, tmp_path):
    (tmp_path / "numpy.py").write_text("raise SystemExit(3)")
    monkeypatch.chdir(tmp_path)
    assert try_out("numpy").error == ""


@pytest.mark.parametrize(
    ("version", "bits", "state"),
    [((3, 11, 2), 64, "ok"), ((3, 13, 5), 64, "ok"), ((3, 10, 9), 64, "fail"),
     ((3, 14, 0), 64, "fail"), ((3, 11, 2), 32, "fail")],
)  # fmt: skip
def test_python_must_have_wheels(version, bits, state):
    check = software.check_python(version, bits)
    assert check.state == state
    assert bool(check.mend) == (state == "fail")


@pytest.mark.parametrize(
    ("bounds", "version", "allowed"),
    [(">=2.1.6,<3", "2.1.6", True), (">=2.1.6,<3", "2.1.5", False), ("<3,>=2.1.6", "3.0", False),
     (">=4.11,<5", "4.11.0.86", True), (">=13", "14.1", True), (">=1.2,<2", "1.10.1", True),
     ("", "7", True)],
)  # fmt: skip
def test_bounds_are_kept(bounds, version, allowed):
    assert Requirement("x", bounds).allows(version) is allowed


def test_the_package_s_own_requirements_are_read():
    wanted = {(one.name, one.extra): one for one in software.requirements()}
    assert wanted["ai-edge-litert", ""].allows("2.1.6")
    assert not wanted["ai-edge-litert", ""].allows("3.0")
    assert wanted["mediapipe", "mediapipe"].install.startswith("pip install 'mediapipe")
    assert ("edge-fer", "dev") not in wanted


WANTED = [
    Requirement("ai-edge-litert", "<3,>=2.1.6"),
    Requirement("numpy", "<3,>=1.26"),
    Requirement("opencv-contrib-python", "<5,>=4.11"),
    Requirement("mediapipe", "<2,>=1.2", "mediapipe"),
    Requirement("keras", "<4,>=3.12", "train"),
]


def _packages(found, attempt=None):
    found = {name: [(version, "/site")] for name, version in found.items()}
    checks = software.check_packages(WANTED, found, attempt or Tries())
    return {check.name: check for check in checks}


def test_packages_that_are_missing_or_too_old_are_named():
    checks = _packages({"numpy": "1.24.2"})
    assert {name: check.state for name, check in checks.items()} == {
        "ai-edge-litert": "fail", "numpy": "fail", "mediapipe": "note",
    }  # fmt: skip
    assert "1.24.2" in checks["numpy"].detail
    assert checks["ai-edge-litert"].mend == "pip install 'ai-edge-litert<3,>=2.1.6'"


def test_packages_that_are_there_are_well():
    found = {"ai-edge-litert": "2.3.0", "numpy": "2.4.6", "mediapipe": "1.2.2"}
    tries = Tries()
    assert {check.state for check in _packages(found, tries).values()} == {"ok"}
    assert sorted(tries.tried) == [("litert",), ("numpy",)]  # MediaPipe's turn is another


def test_a_package_that_does_not_load_is_a_failure():
    found = {"ai-edge-litert": "2.3.0", "numpy": "2.4.6"}
    tries = Tries(numpy=Outcome({}, "it ends the process (SIGILL)", True))
    check = _packages(found, tries)["numpy"]
    assert (check.state, "SIGILL" in check.detail) == ("fail", True)
    assert "--force-reinstall" in check.mend


def test_a_copy_that_is_not_installed_is_a_note():
    (check,) = software.check_packages([], {})
    assert (check.name, check.state) == ("edge-fer", "note")


def _opencv(*distributions, loads="4.11.0", error=""):
    found = {}
    for name, version, folder in distributions:
        found.setdefault(name, []).append((version, folder))
    return software.check_opencv(WANTED, found, Tries({"version": loads}, error))


CONTRIB = ("opencv-contrib-python", "4.11.0.86", "/site")


def test_one_opencv_is_right():
    check = _opencv(CONTRIB)
    assert (check.state, check.detail) == ("ok", "opencv-contrib-python 4.11.0.86")


def test_two_opencvs_in_one_folder_are_a_failure():
    check = _opencv(CONTRIB, ("opencv-python-headless", "4.11.0.86", "/site"))
    assert check.state == "fail"
    assert "pip uninstall -y opencv-contrib-python opencv-python-headless" in check.mend
    assert "--no-deps 'opencv-contrib-python<5,>=4.11'" in check.mend


def test_an_opencv_of_the_system_behind_ours_is_right():
    assert _opencv(CONTRIB, ("opencv-python", "4.6.0", "/usr/lib")).state == "ok"


@pytest.mark.parametrize(
    ("distributions", "options", "state"),
    [
        ([CONTRIB], {"loads": "4.10.0"}, "fail"),
        ([CONTRIB], {"error": "ImportError: libGL.so.1: cannot open shared object file"}, "fail"),
        ([], {"error": "ModuleNotFoundError: No module named 'cv2'"}, "fail"),
        ([], {"loads": "4.6.0"}, "note"),
        ([("opencv-python-headless", "4.11.0.86", "/site")], {}, "note"),
    ],
)
def test_other_opencvs_are_told(distributions, options, state):
    check = _opencv(*distributions, **options)
    assert check.state == state
    assert check.mend


def test_what_is_installed_is_read_from_folders(tmp_path):
    for name in ("opencv_contrib_python", "Opencv.Python"):
        folder = tmp_path / f"{name}-4.11.0.86.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Name: {name}\nVersion: 4.11.0.86\n")
    found = software.installed([str(tmp_path), str(tmp_path)])
    place = [("4.11.0.86", str(tmp_path))]
    assert found == {"opencv-contrib-python": place, "opencv-python": place}
    assert software.check_opencv(WANTED, found, Tries()).state == "fail"


def test_picamera2_is_looked_for_where_apt_puts_it(tmp_path):
    outside = software.check_picamera2(True, False, tmp_path)
    assert (outside.state, "apt install" in outside.mend) == ("note", True)
    assert software.check_picamera2(False, False, tmp_path).state == "ok"
    (tmp_path / "picamera2").mkdir()
    unseen = software.check_picamera2(True, False, tmp_path)
    assert unseen.state == "note"
    assert f"--system-site-packages {sys.prefix}" in unseen.mend


@pytest.mark.parametrize(
    ("outcome", "state", "words"),
    [
        (Outcome({"cameras": ["imx708"]}), "ok", "imx708"),
        (Outcome({"cameras": []}), "note", "no camera"),
        (Outcome({}, "ValueError: numpy.dtype size changed"), "fail", "dtype"),
        (Outcome({}, "it ends the process (SIGSEGV)", True), "fail", "SIGSEGV"),
    ],
)
def test_picamera2_is_tried(outcome, state, words):
    check = software.check_picamera2(True, True, attempt=Tries(picamera2=outcome))
    assert check.state == state
    assert words in check.detail
    assert bool(check.mend) == (state != "ok")


def _libraries(tmp_path, release, *missing):
    error = Outcome({}, "OSError: cannot open shared object file: No such file or directory")
    (tmp_path / "os-release").write_text(release)
    tries = Tries(**dict.fromkeys(missing, error))
    return {c.name: c for c in machine.check_libraries(tries, tmp_path / "os-release")}


@pytest.mark.skipif(sys.platform != "linux", reason="these libraries are Linux's")
@pytest.mark.parametrize(
    ("release", "package"),
    [
        ('ID=debian\nVERSION_ID="12"\n', "libglib2.0-0"),
        ('ID=debian\nVERSION_ID="13"\n', "libglib2.0-0t64"),
        ('ID=ubuntu\nVERSION_ID="22.04"\n', "libglib2.0-0"),
        ('ID=ubuntu\nVERSION_ID="24.04"\n', "libglib2.0-0t64"),
        ("", "libglib2.0-0"),
    ],
)
def test_missing_libraries_are_named_by_their_package(tmp_path, release, package):
    checks = _libraries(tmp_path, release, "libgthread-2.0.so.0", "libEGL.so.1", "opencv")
    assert [check.state for check in checks.values()] == ["ok", "fail", "note", "ok"]
    assert checks["libgthread-2.0.so.0"].mend == f"sudo apt install {package}"


@pytest.mark.skipif(sys.platform != "linux", reason="these libraries are Linux's")
def test_a_library_that_the_installed_opencv_does_without_is_no_failure(tmp_path):
    checks = _libraries(tmp_path, "", "libGL.so.1")
    assert (checks["libGL.so.1"].state, "does without" in checks["libGL.so.1"].detail) == (
        "note", True,
    )  # fmt: skip


def test_the_processor_is_described(tmp_path):
    (tmp_path / "cpuinfo").write_text("Features : fp asimd atomics asimddp\n")
    check = machine.check_processor(Tries({"mediapipe": True}), tmp_path / "cpuinfo")
    assert (check.state, "asimddp" in check.detail) == ("ok", True)
    check = machine.check_processor(Tries({"mediapipe": False}), tmp_path / "none")
    assert (check.state, "atomic" in check.detail) == ("note", True)
    assert machine.check_processor(Tries(error="no numpy")).state == "note"


@pytest.mark.parametrize("state", ["note", "fail"])
def test_mediapipe_is_never_tried_where_it_would_end_the_process(state):
    tries = Tries()
    assert list(machine.check_mediapipe(Check("processor", state, ""), True, tries)) == []
    assert tries.tried == []


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome({"boxes": [[1, 2, 3, 4]]}), "ok"),
        (Outcome({"boxes": []}), "fail"),
        (Outcome({}, "OSError: libEGL.so.1"), "note"),  # auto then takes BlazeFace
        (Outcome({}, "it ends the process (SIGILL)", True), "fail"),
    ],
)
def test_mediapipe_is_tried_elsewhere(outcome, state):
    good = Check("processor", "ok", "")
    (check,) = machine.check_mediapipe(good, True, Tries(mediapipe=outcome))
    assert check.state == state


@pytest.mark.parametrize(
    ("environment", "works", "state"),
    [({}, True, "note"), ({"DISPLAY": ":0"}, True, "ok"), ({"DISPLAY": ":9"}, False, "note"),
     ({"WAYLAND_DISPLAY": "wayland-0"}, True, "ok")],
)  # fmt: skip
def test_a_display_is_tried(environment, works, state):
    assert machine.check_display(environment, Tries({"works": works})).state == state


@pytest.mark.parametrize(("free", "state"), [(1 << 34, "ok"), (1 << 28, "note"), (1 << 20, "fail")])
def test_room_on_the_disk(monkeypatch, tmp_path, free, state):
    usage = machine.shutil.disk_usage(tmp_path)._replace(free=free)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: usage)
    assert machine.check_disk(tmp_path).state == state


@pytest.mark.parametrize(
    ("board", "states", "words"),
    [
        (PI_5, ["ok", "ok"], ""),
        (Board(None, None, None), ["ok"], ""),
        (Board("x", 84.0, None), ["note"], "fan"),
        (Board("x", 50.0, ("was under-voltage",)), ["ok", "note"], "power supply"),
        (Board("x", 50.0, ("throttled",)), ["ok", "note"], "heat sink"),
    ],
)
def test_heat_and_power(board, states, words):
    checks = list(machine.check_board(board))
    assert [check.state for check in checks] == states
    assert words in checks[-1].mend


def _cameras(tmp_path, **answers):
    def ask(path):
        answer = answers[path.name]
        if isinstance(answer, Exception):
            raise answer
        return answer

    for name in answers:
        (tmp_path / name).touch()
    return list(cameras.check_cameras(tmp_path, ask))


def test_cameras_that_capture_are_named(tmp_path):
    (check,) = _cameras(
        tmp_path,
        video0=("uvcvideo", "C920", True),
        video1=("uvcvideo", "C920", False),
        video10=("bcm2835-codec", "decoder", True),
        video20=("rp1-cfe", "rp1-cfe", True),
    )
    assert (check.state, check.detail) == ("ok", f"{tmp_path}/video0 (C920)")


def test_cameras_that_may_not_be_read_are_named(tmp_path):
    (check,) = _cameras(tmp_path, video0=PermissionError(13, "Permission denied"))
    assert check.state == "note"
    assert "usermod -aG video" in check.mend


def test_a_camera_that_does_not_answer_is_a_note(tmp_path):
    first, second = _cameras(
        tmp_path, video0=OSError(5, "Input/output error"), video2=("uvcvideo", "X", True)
    )
    assert (first.state, second.state) == ("note", "ok")


def test_no_camera_is_a_note(tmp_path):
    (check,) = _cameras(tmp_path)
    assert check.state == "note"


def test_a_file_that_is_no_device_is_a_note(tmp_path):
    (tmp_path / "video0").touch()
    assert [check.state for check in cameras.check_cameras(tmp_path)] == ["note", "note"]


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Outcome({"finite": True, "classes": 7, "precision": "int8"}), "ok"),
        (Outcome({"finite": False}), "fail"),
        (Outcome({}, "ModelError: the model is not the one"), "fail"),
    ],
)
def test_models_are_tried(outcome, state):
    assert [check.state for check in models.check_models(["a"], Tries(a=outcome))] == [state]
    assert [check.state for check in models.check_models([])] == ["fail"]


@pytest.mark.parametrize(
    ("error", "words"),
    [("edge_fer.errors.ModelError: cut short", "again"), ("ModuleNotFoundError: cv2", "first")],
)
def test_a_model_is_not_blamed_for_what_it_needs(error, words):
    (check,) = models.check_models(["a"], Tries(error=error))
    assert words in check.mend


@pytest.mark.parametrize(
    ("found", "state"),
    [
        ({"boxes": [[177.0, 83.0, 95.0, 95.0]], "emotions": ["happy"]}, "ok"),
        ({"boxes": [[0.0, 0.0, 95.0, 95.0]], "emotions": ["happy"]}, "fail"),
        ({"boxes": [], "emotions": []}, "fail"),
    ],
)
def test_the_face_must_be_found(found, state):
    assert models.check_face(Tries(found)).state == state


def test_a_check_that_fails_itself_is_a_finding():
    def bad():
        yield Check("a", "ok", "")
        raise ZeroDivisionError("by zero")

    checks = doctor.run({"bad": bad, "good": lambda: Check("b", "ok", "")})
    assert [(check.name, check.state) for check in checks] == [
        ("a", "ok"), ("bad", "fail"), ("b", "ok"),
    ]  # fmt: skip
    assert "ZeroDivisionError" in checks[1].detail


def test_this_machine_is_well(cli):
    done = cli("doctor", "--json")
    assert done.returncode == 0, done.stdout
    answer = json.loads(done.stdout)
    assert answer["ok"] is True
    assert answer["version"]
    states = {check["name"]: check["state"] for check in answer["checks"]}
    assert states["OpenCV"] == states["face"] == states["numpy"] == "ok"
    assert {f"model {name}" for name in model_names()} <= set(states)
    for check in answer["checks"]:
        assert list(check) == ["name", "state", "detail", "mend"]
        assert bool(check["mend"]) == (check["state"] != "ok")


def test_the_table_says_the_same(cli, tmp_path):
    done = cli("doctor", "--json", tmp_path / "x.json")
    assert (done.returncode, done.stdout) == (0, "")
    names = [check["name"] for check in json.loads((tmp_path / "x.json").read_text())["checks"]]
    done = cli("doctor")
    assert done.returncode == 0
    assert done.stderr == ""
    assert all(name in done.stdout for name in names)


@pytest.mark.parametrize("library", ["numpy", "cv2", "mediapipe"])
def test_a_library_that_ends_the_process_is_found(cli, tmp_path, library):
    if library == "mediapipe":
        pytest.importorskip("mediapipe")
    (tmp_path / library).mkdir()
    program = "import os, signal\nos.kill(os.getpid(), signal.SIGILL)\n"
    (tmp_path / library / "__init__.py").write_text(program)
    done = cli("doctor", "--json", env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 1, done.stderr
    failed = {
        c["name"]: c["detail"] for c in json.loads(done.stdout)["checks"] if c["state"] == "fail"
    }
    name = {"cv2": "OpenCV", "mediapipe": "MediaPipe"}.get(library, library)
    assert "SIGILL" in failed[name]
    assert (set(failed) == {name}) == (library == "mediapipe")


def test_the_doctor_itself_loads_nothing_native():
    program = (
        "import sys; from edge_fer import doctor;"
        "assert not {'numpy', 'cv2', 'ai_edge_litert', 'mediapipe'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60, env=dict(os.environ))

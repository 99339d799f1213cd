"""What the package offers, and what its parts keep to."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import edge_fer

FOLDER = Path(edge_fer.__file__).parent
MODULES = sorted(FOLDER.rglob("*.py"))
HEAVY = ["tensorflow", "keras", "mediapipe", "cv2", "numpy", "ai_edge_litert"]


def test_the_public_names_are_sorted_and_there():
    assert edge_fer.__all__ == sorted(edge_fer.__all__)
    assert len(set(edge_fer.__all__)) == len(edge_fer.__all__)
    for name in edge_fer.__all__:
        assert getattr(edge_fer, name) is not None
    assert set(dir(edge_fer)) >= set(edge_fer.__all__)


def test_every_public_name_is_documented():
    for name in edge_fer.__all__:
        if name != "__version__":
            assert getattr(edge_fer, name).__doc__, name


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="nonesuch"):
        edge_fer.nonesuch  # noqa: B018


def test_the_version_is_the_package_s():
    assert edge_fer.__version__.split(".")[0].isdigit()


@pytest.mark.parametrize("modules", ["edge_fer", "edge_fer.cli, edge_fer.commands.run"])
def test_importing_loads_nothing_heavy(modules):
    program = (
        f"import {modules}, sys, json;print(json.dumps([n for n in {HEAVY} if n in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == []


def test_the_inference_side_loads_no_training():
    """Without MediaPipe, reading a picture needs LiteRT, OpenCV and NumPy only."""
    program = (
        "import sys, json, numpy; from edge_fer import *;"
        "d = open_detector('blazeface'); c = Classifier(); Pipeline(d, c);"
        "c.classify(numpy.zeros((9, 9, 3), 'u1'), d.detect(numpy.zeros((9, 9, 3), 'u1')));"
        "names = ['tensorflow', 'keras', 'mediapipe', 'matplotlib', 'edge_fer.train'];"
        "print(json.dumps([n for n in names if n in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == []


def _tree(path):
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def _talks(path):
    """Whether the command line is the module's business."""
    return path == FOLDER / "cli.py" or path.parent == FOLDER / "commands"


def _breaches(tree):
    """Lines that print, or end the process."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in ("print", "exit", "quit", "sys.exit", "os._exit", "os.abort"):
                yield node.lineno, called
        elif isinstance(node, ast.Raise) and node.exc is not None:
            raised = ast.unparse(node.exc)
            if raised.startswith("SystemExit"):
                yield node.lineno, raised


def test_the_walk_finds_what_it_looks_for():
    bad = "import sys\nprint(1)\nsys.exit(2)\nraise SystemExit(3)\n"
    assert sorted(line for line, _ in _breaches(ast.parse(bad))) == [2, 3, 4]
    assert len([p for p in MODULES if _talks(p)]) > 5
    assert len([p for p in MODULES if not _talks(p)]) > 20


@pytest.mark.parametrize(
    "path", [p for p in MODULES if not _talks(p)], ids=lambda p: str(p.relative_to(FOLDER))
)
def test_the_library_neither_prints_nor_ends_the_process(path):
    assert list(_breaches(_tree(path))) == []


def _imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield (node.module or "").split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(FOLDER)))
def test_the_inference_side_does_not_import_training_frameworks(path):
    assert not {"tensorflow", "keras"} & set(_imports(_tree(path)))


@pytest.mark.parametrize(
    "path", [p for p in MODULES if not _talks(p)], ids=lambda p: str(p.relative_to(FOLDER))
)
def test_the_library_does_not_import_the_command_line(path):
    assert not {"click", "rich"} & set(_imports(_tree(path)))


def test_errors_are_one_tree():
    errors = importlib.import_module("edge_fer.errors")
    kinds = [v for v in vars(errors).values() if isinstance(v, type)]
    assert len(kinds) >= 10
    for kind in kinds:
        assert issubclass(kind, errors.EdgeFerError)
        if kind is not errors.EdgeFerError:
            assert issubclass(kind, errors.InputError) != issubclass(kind, errors.WorkError)

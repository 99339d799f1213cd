"""What is installed is what lies here, however it is installed."""

import hashlib
import importlib.util
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import click
import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "edge": "edge_fer",
    "train": "edge_fer/train",
    "convert": "edge_fer/convert",
    "benchmarks": "edge_fer/benchmarks",
}
BESIDE = (".ci", "deploy", "examples", "tests")
FILES = (
    ".gitignore", "LICENSE", "MANIFEST.in", "Makefile", "README.md", "THIRD_PARTY.md",
    "pyproject.toml",
)  # fmt: skip
SHIPPED = {
    ".py", ".toml", ".tflite", ".jpg", ".typed", ".html", ".css", ".js", ".svg", ".cjs",
}  # fmt: skip


def _build(place, mode):
    """What deploy/build.sh makes of a copy whose files have another mode and time than here."""
    source = place / "source"
    for folder in (*PACKAGES, *BESIDE):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / folder, source / folder, ignore=ignore)
    for file in FILES:
        shutil.copy(ROOT / file, source)
    for file in source.rglob("*"):
        if file.is_file():
            file.chmod(mode | (file.stat().st_mode & stat.S_IXUSR))
            os.utime(file, (mode, mode))
    (source / "edge" / "left_about.tflite").write_bytes(b"unknown to git")
    git = ["git", "-C", str(source)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "--all", "--", ".", ":!edge/left_about.tflite"], check=True)
    environment = {**os.environ, "PYTHON": sys.executable, "SOURCE_DATE_EPOCH": "1700000000"}
    command = [source / "deploy" / "build.sh", place / "dist"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, umask=0o777 - mode
    )
    assert done.returncode == 0, done.stderr
    return {file.suffix: file for file in (place / "dist").iterdir()}


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The source distribution and the wheel, by suffix, built from a copy."""
    if not shutil.which("git"):
        pytest.skip("git is not installed")
    return _build(tmp_path_factory.mktemp("first"), 0o644)


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built[".whl"]) as z:
        yield set(z.namelist()), z.read(next(n for n in z.namelist() if n.endswith("METADATA")))


def test_the_same_files_give_the_same_bytes(built, tmp_path):
    again = _build(tmp_path / "in another, longer folder", 0o600)
    first, second = (
        {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files.values()}
        for files in (built, again)
    )
    assert first == second
    assert len(first) == 2


def test_the_wheel_holds_every_module_and_data_file_and_nothing_else(wheel):
    names, _ = wheel
    here = {
        f"{package}/{file.relative_to(ROOT / folder).as_posix()}"
        for folder, package in PACKAGES.items()
        for file in (ROOT / folder).rglob("*")
        if file.suffix in SHIPPED
    }
    about = {
        "licenses/LICENSE", "licenses/THIRD_PARTY.md",
        "METADATA", "RECORD", "WHEEL", "entry_points.txt", "top_level.txt",
    }  # fmt: skip
    (info,) = {name.split("/")[0] for name in names} - {"edge_fer"}
    assert names == here | {f"{info}/{name}" for name in about}


def test_the_source_distribution_holds_what_git_knows(built):
    with tarfile.open(built[".gz"]) as t:
        names = {name.partition("/")[2] for name in t.getnames() if t.getmember(name).isfile()}
    made = {"PKG-INFO", "setup.cfg"}
    here = {
        file.relative_to(ROOT).as_posix()
        for folder in (*PACKAGES, *BESIDE)
        for file in (ROOT / folder).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {n for n in names if not n.startswith("edge_fer.egg-info/")} == made | here | {*FILES}


def test_the_device_install_asks_for_no_training_package(wheel):
    _, metadata = wheel
    needs = re.findall(r"^Requires-Dist: (.*)$", metadata.decode(), re.M)
    always = [need for need in needs if "extra ==" not in need]
    assert always
    heavy = re.compile(r"(tensorflow|keras|torch|jax|matplotlib|mediapipe)\b")
    assert not [need for need in always if heavy.match(need)]
    # Two OpenCV distributions in one environment overwrite each other's files.
    assert {re.split(r"[<>=]", need)[0] for need in needs if "opencv" in need} == {
        "opencv-contrib-python"
    }


def test_the_import_name_is_this_checkout_or_an_installed_copy():
    spec = importlib.util.find_spec("edge_fer.train")
    assert spec is not None
    assert spec.origin is not None
    assert Path(spec.origin).name == "__init__.py"


def test_every_package_is_listed_for_the_build():
    with (ROOT / "pyproject.toml").open("rb") as f:
        listed = set(tomllib.load(f)["tool"]["setuptools"]["packages"])
    found = {
        f"{package}/{file.parent.relative_to(ROOT / folder).as_posix()}".removesuffix("/.")
        for folder, package in PACKAGES.items()
        for file in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == {name.replace("/", ".") for name in found}


def _commands_of_the_readme():
    blocks = re.findall(r"```(?:sh|console)\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    lines = "\n".join(blocks).replace("\\\n", " ").splitlines()
    return [line.split("#")[0].strip() for line in lines if re.match(r"(\$ )?edge-fer ", line)]


def test_the_readme_names_real_commands_and_options():
    from edge_fer.cli import cli

    commands = _commands_of_the_readme()
    assert len(commands) >= 5
    for line in commands:
        words = line.removeprefix("$ ").split()[1:]
        context = click.Context(cli, info_name="edge-fer")
        command = cli.get_command(context, words[0])
        assert command is not None, line
        if isinstance(command, click.Group) and len(words) > 1:
            command = command.get_command(context, words[1]) or command
        known = {option for p in command.params for option in (*p.opts, *p.secondary_opts)}
        used = {word.split("=")[0] for word in words[1:] if re.match(r"--\w", word)}
        assert used <= known | {"--help"}, line


def test_every_shipped_file_is_named_with_its_licence():
    text = (ROOT / "THIRD_PARTY.md").read_text()
    assert "blazeface-short.tflite" in text
    assert "identity.tflite" in text
    assert "collins.jpg" in text
    assert "Apache License" in (ROOT / "LICENSE").read_text()


def test_every_package_that_is_asked_for_is_named_with_its_licence():
    with (ROOT / "pyproject.toml").open("rb") as f:
        project = tomllib.load(f)["project"]
    extras = project["optional-dependencies"]
    needs = [
        *project["dependencies"],
        *(n for name in extras if name != "dev" for n in extras[name]),
    ]
    names = {re.split(r"[<>=;\[]", need)[0] for need in needs} - {"edge-fer"}
    text = (ROOT / "THIRD_PARTY.md").read_text()
    assert {"numpy", "starlette", "keras"} < names
    assert [name for name in names if not re.search(rf"\b{name}\b", text)] == []

"""What is installed is what lies here, however it is installed."""

import importlib.util
import re
import shutil
import subprocess
import sys
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
SHIPPED = {
    ".py", ".toml", ".tflite", ".jpg", ".typed", ".html", ".css", ".js", ".svg",
}  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel built from a clean copy: setuptools packs whatever an old build/ folder holds."""
    copy = tmp_path_factory.mktemp("source")
    for folder in PACKAGES:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "README.md", "LICENSE", "THIRD_PARTY.md"):
        shutil.copy(ROOT / file, copy)
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "-q"]
    subprocess.run([*command, "-w", str(copy / "dist"), str(copy)], check=True, cwd=copy)
    (file,) = (copy / "dist").glob("*.whl")
    with zipfile.ZipFile(file) as z:
        yield set(z.namelist()), z.read(next(n for n in z.namelist() if n.endswith("METADATA")))


def test_the_wheel_holds_every_module_and_data_file(wheel):
    names, _ = wheel
    here = {
        f"{package}/{file.relative_to(ROOT / folder).as_posix()}"
        for folder, package in PACKAGES.items()
        for file in (ROOT / folder).rglob("*")
        if file.suffix in SHIPPED
    }
    there = {name for name in names if name.startswith("edge_fer/")}
    assert there == here


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

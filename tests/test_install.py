"""The scripts that prepare a machine; the installer only says what it would do."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEPLOY = Path(__file__).parent.parent / "deploy"
PI4, PI5 = "fp asimd evtstrm crc32 cpuid", "fp asimd evtstrm aes crc32 atomics asimddp"
OURS = "# Written by edge-fer install-service, which replaces and removes it.\n"


@pytest.fixture
def root(tmp_path):
    """A machine's root, a Pi 5 with Trixie."""
    for folder in ("etc/systemd/system", "proc", "programs"):
        (tmp_path / folder).mkdir(parents=True)
    _program(tmp_path, "dpkg", "echo arm64")
    _program(tmp_path, "apt-cache", "exit 0")
    for name in ("apt-get", "systemctl"):  # nothing may be done
        _program(tmp_path, name, f"touch '{tmp_path}/done'; exit 1")
    _release(tmp_path, 13)
    _processor(tmp_path, PI5)
    yield tmp_path
    assert not (tmp_path / "done").exists()


@pytest.fixture
def install(root):
    """Runs the installer."""

    def run(*arguments):
        path = f"{root}/programs:{os.environ['PATH']}"
        return subprocess.run(
            [DEPLOY / "install.sh", *arguments],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "PATH": path, "EDGE_FER_ROOT": str(root)},
        )

    return run


def _program(root, name, text):
    file = root / "programs" / name
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)


def _release(root, number):
    (root / "etc" / "os-release").write_text(f'ID=debian\nVERSION_ID="{number}"\n')


def _processor(root, features):
    (root / "proc" / "cpuinfo").write_text(f"processor\t: 0\nFeatures\t: {features}\n")


def _service(root, name, text=OURS):
    (root / "etc" / "systemd" / "system" / f"{name}.service").write_text(text)


def _steps(done):
    assert done.returncode == 0, done.stderr
    return [line[11:] for line in done.stdout.splitlines() if line.startswith("would run: ")]


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_the_scripts_are_sound():
    scripts = sorted(DEPLOY.glob("*.sh"))
    done = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    ("release", "features", "package", "libraries", "numpy"),
    [
        (12, PI4, "edge-fer[mqtt,web]", "libglib2.0-0 ", "numpy<2"),
        (13, PI4, "edge-fer[mqtt,web]", "libglib2.0-0t64 ", "numpy"),
        (12, PI5, "edge-fer[mqtt,web,mediapipe]", "libglib2.0-0 libegl1 ", "numpy<2"),
        (13, PI5, "edge-fer[mqtt,web,mediapipe]", "libglib2.0-0t64 libegl1 ", "numpy"),
    ],
)
def test_it_fits_the_system_and_the_processor(
    install, root, release, features, package, libraries, numpy
):
    _release(root, release)
    _processor(root, features)
    update, apt, venv, pip, link, doctor = _steps(install("edge-fer"))
    assert update == "apt-get update -qq"
    assert libraries in f"{apt} "
    assert "python3-picamera2" in apt
    assert venv == "/usr/bin/python3 -m venv --clear --system-site-packages /opt/edge-fer"
    assert pip.endswith(f"/opt/edge-fer/bin/python -m pip install -q {package} {numpy}")
    assert link == "ln -sf /opt/edge-fer/bin/edge-fer /usr/local/bin/edge-fer"
    assert doctor == "/opt/edge-fer/bin/edge-fer doctor"


def test_a_wheel_of_the_same_version_replaces_the_one_before(install, tmp_path):
    wheel = tmp_path / "edge_fer-1.0-py3-none-any.whl"
    wheel.touch()
    *_, first, second, _, _ = _steps(install(str(wheel)))
    assert f"pip install -q {wheel}[mqtt,web,mediapipe]" in first
    assert second.endswith(f"pip install -q --no-deps --force-reinstall {wheel}")


def test_without_a_package_it_is_the_checkout(install):
    assert any(" wheel " in step for step in _steps(install()))


def test_apt_may_not_know_picamera2(install, root):
    _program(root, "apt-cache", "exit 100")
    done = install("edge-fer")
    assert not [step for step in _steps(done) if "picamera2" in step]
    assert "apt has no python3-picamera2" in done.stdout


def test_an_environment_of_another_python_is_made_anew(install, root):
    if not Path("/usr/bin/python3").exists():
        pytest.skip("there is no /usr/bin/python3")
    say = "import sys; print('python%d.%d' % sys.version_info[:2])"
    version = subprocess.check_output(["/usr/bin/python3", "-c", say], text=True).strip()
    binary = root / "opt" / "edge-fer" / "bin" / "python"
    binary.parent.mkdir(parents=True)
    binary.symlink_to("/bin/sh")
    assert any("venv" in step for step in _steps(install("upgrade", "edge-fer")))
    (root / "opt" / "edge-fer" / "lib" / version).mkdir(parents=True)
    assert not any("venv" in step.split() for step in _steps(install("upgrade", "edge-fer")))


def test_an_upgrade_takes_the_newest_and_starts_our_services_again(install, root):
    _service(root, "kitchen")
    _service(root, "ssh", "[Unit]\n")
    assert install("upgrade").returncode == 2  # there is nothing to upgrade
    (root / "opt" / "edge-fer").mkdir(parents=True)
    steps = _steps(install("upgrade", "edge-fer"))
    assert any("pip install -q --upgrade --upgrade-strategy eager edge-fer" in s for s in steps)
    restarts = [step for step in steps if "systemctl" in step]
    assert restarts == ["systemctl try-restart --no-block kitchen.service"]


def test_what_is_removed_is_ours_alone(install, root):
    assert install("uninstall").returncode == 2  # there is nothing to remove
    (root / "opt" / "edge-fer").mkdir(parents=True)
    _service(root, "kitchen")
    _service(root, "ssh", "[Unit]\n")
    kept = [
        "systemctl disable --quiet --now kitchen.service",
        "rm -f /etc/systemd/system/kitchen.service"
        " /etc/systemd/system/multi-user.target.wants/kitchen.service",
        "systemctl daemon-reload",
        "rm -rf /opt/edge-fer /usr/local/bin/edge-fer",
    ]
    assert _steps(install("uninstall")) == kept
    assert _steps(install("uninstall", "--purge")) == [
        *kept,
        "rm -rf /var/lib/edge-fer /var/lib/private/edge-fer",
        "rm -rf /var/lib/kitchen /var/lib/private/kitchen",
        "rm -rf /etc/edge-fer",
    ]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--fast"], "--fast"),
        (["--purge"], "goes with uninstall"),
        (["/nowhere/edge_fer.whl"], "there is no /nowhere/edge_fer.whl"),
        (["one", "two"], "one package"),
        (["upgrade", "uninstall"], "one thing"),
        (["uninstall", "edge-fer"], "no package"),
    ],
)
def test_bad_arguments_are_refused(install, arguments, why):
    done = install(*arguments)
    assert done.returncode == 2
    assert why in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("architecture", "release", "why"),
    [("armhf", 13, "64-bit"), ("arm64", 11, "release 11"), ("arm64", "", "unknown")],
)
def test_other_systems_are_refused(install, root, architecture, release, why):
    _program(root, "dpkg", f"echo {architecture}")
    _release(root, release)
    done = install("edge-fer")
    assert done.returncode == 2
    assert why in done.stderr
    assert "would run" not in done.stdout


def test_root_is_needed(root):
    _program(root, "id", "echo 1000")
    done = subprocess.run(
        [DEPLOY / "install.sh"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": f"{root}/programs:{os.environ['PATH']}"},
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "sudo" in done.stderr

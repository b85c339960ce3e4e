"""The Debian package in .build/deb, and a clean Debian to install it on. `make test-deb` builds the package and runs the tests.

The tests need root, for a container. Its network has only a loopback interface."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import Machine, booted, install_debian

PROJECT = Path(__file__).parents[2]
# Packages of a server that a minimal Debian lacks, and programs that the tests use inside.
PACKAGES = ["systemd", "systemd-sysv", "dbus", "curl", "openssl", "man-db", "bash-completion", "zsh", "fish", "libfcgi-bin"]


@pytest.fixture(scope="session", autouse=True)
def teardown_on_sigterm() -> None:
    """Runs the teardown on SIGTERM, so that a run that is stopped leaves no process behind."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("stopped by SIGTERM", returncode=143))


@pytest.fixture(scope="session")
def package() -> Path:
    [package] = (PROJECT / ".build/deb").glob("lps_*.deb")
    return package


@pytest.fixture(scope="session")
def machine(package: Path) -> Iterator[Machine]:
    """The container, with the package file as /lps.deb."""
    folder = Path(tempfile.mkdtemp(prefix="lps-package-", dir="/var/tmp"))
    try:
        root = folder / "root"
        root.mkdir()
        file = root / "lps.deb"
        shutil.copy(package, file)
        install_debian(root, PACKAGES, later=file)
        with booted(root, folder / "boot.log") as machine:
            yield machine
    finally:
        shutil.rmtree(folder)

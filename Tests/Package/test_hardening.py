"""The hardening of the package's programs."""

import re
import subprocess
from pathlib import Path

import pytest

PROGRAMS = ["lps-worker", "lps"]


@pytest.fixture(scope="module")
def programs(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the programs as the package installs them."""
    folder = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["dpkg-deb", "--extract", package, folder], check=True)
    return folder / "usr/bin"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_is_hardened_like_debians(programs: Path, name: str) -> None:
    """Position-independent, stack protector, fortified functions, read-only relocations, all made at start.

    Swift's compiler does not support control-flow protection (CET)."""
    checked = subprocess.run(
        ["hardening-check", "--nocfprotection", programs / name], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert checked.returncode == 0, checked.stdout
    for line in ("Position Independent Executable", "Stack protected", "Read-only relocations", "Immediate binding"):
        assert f" {line}: yes" in checked.stdout


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_segment_of_a_program_is_writable_and_executable(programs: Path, name: str) -> None:
    headers = subprocess.check_output(["readelf", "--program-headers", "--dynamic", "--wide", programs / name], text=True)
    segments = re.findall(r"^ +(\w+) +(?:0x[0-9a-f]+ +){5}([RWE ]+?) +0x", headers, re.MULTILINE)
    assert ("GNU_STACK", "RW") in segments
    assert not [kind for kind, flags in segments if "W" in flags and "E" in flags]
    # No relocation changes code, and libraries are searched for only in the system's folders.
    for tag in ("(TEXTREL)", "(RPATH)", "(RUNPATH)"):
        assert tag not in headers

"""A program that runs in place of a worker can do what the units allow, and nothing else."""

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine import Machine
from service import Service

PROBE = Path(__file__).parent / "probe"
UNIT = "lps-worker@probe.service"
NOT_PERMITTED = "Operation not permitted"
NO_FAMILY = "Address family not supported by protocol"


@contextlib.contextmanager
def probe(machine: Machine) -> Iterator[str]:
    """Changes a worker's unit to run the probe, and returns the unit's name."""
    shutil.copy(PROBE, machine.root / "probe")
    drop_in = machine.root / f"etc/systemd/system/{UNIT}.d/probe.conf"
    drop_in.parent.mkdir(parents=True)
    drop_in.write_text("[Service]\nType=oneshot\nWatchdogSec=0\nRestart=no\nExecStart=\nExecStart=/usr/bin/perl /probe\n")
    machine.run("systemctl", "daemon-reload")
    try:
        yield UNIT
    finally:
        shutil.rmtree(drop_in.parent)
        machine.run("systemctl", "daemon-reload")


@pytest.fixture
def probed(machine: Machine) -> Iterator[Machine]:
    Service(machine).install()
    with probe(machine):
        yield machine


def answers(text: str) -> dict[str, str]:
    return dict(line.split(": ", 1) for line in text.splitlines() if ": " in line)


def test_a_program_in_place_of_a_worker_reaches_only_the_store(probed: Machine) -> None:
    free = answers(probed.run("perl", "/probe"))
    assert set(free.values()) == {"allowed"}, f"without a unit it can do everything: {free}"

    probed.run("systemctl", "start", UNIT)
    confined = answers(probed.run("journalctl", f"--unit={UNIT}", "--no-pager", "--output=cat"))
    assert {name: confined[name] for name in free} == {
        "store": "allowed",
        "unix socket": "allowed",
        "netlink": "allowed",
        "internet": NO_FAMILY,
        "internet 6": NO_FAMILY,
        "system": "Read-only file system",
        "homes": "Permission denied",
        "other processes": "No such file or directory",
        "shared memory": NOT_PERMITTED,
        "other memory": NOT_PERMITTED,
        "executable memory": NOT_PERMITTED,
        "io_uring": NOT_PERMITTED,
        "keyring": NOT_PERMITTED,
        "being traced": NOT_PERMITTED,
        "namespaces": NOT_PERMITTED,
    }


def test_the_workers_run_with_the_filter_and_without_capabilities(machine: Machine) -> None:
    service = Service(machine)
    service.install()
    service.open_site()
    service.eventually_healthy()
    for process in service.workers().values():
        status = answers(machine.run("cat", f"/proc/{process}/status").replace(":\t", ": "))
        # A system call filter (seccomp(2), mode 2), no way to gain privileges, and no capabilities.
        assert {"Seccomp": status["Seccomp"], "NoNewPrivs": status["NoNewPrivs"]} == {"Seccomp": "2", "NoNewPrivs": "1"}
        for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            assert int(status[kind], 16) == 0, kind

"""A clean Debian with a real systemd, and its own network with only a loopback interface."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path


class Machine:
    """A running container (systemd-nspawn)."""

    def __init__(self, root: Path, init: int) -> None:
        self.root = root
        self._enter = ["nsenter", "--target", str(init), "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup"]
        self._enter += ["env", "--ignore-environment", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root"]
        self._enter += ["LC_ALL=C.UTF-8", "DEBIAN_FRONTEND=noninteractive"]

    def start(self, *command: str) -> subprocess.Popen[str]:
        """Starts a command in the container."""
        return subprocess.Popen(
            [*self._enter, *command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    def attempt(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Runs a command in the container, which may fail."""
        process = self.start(*command)
        output, _ = process.communicate(timeout=300)
        return subprocess.CompletedProcess(command, process.returncode, output)

    def run(self, *command: str) -> str:
        """Runs a command in the container, which must succeed, and returns its output."""
        done = self.attempt(*command)
        assert done.returncode == 0, f"{command}: status {done.returncode}\n{done.stdout}\n{self.journal()}"
        return done.stdout.strip()

    def journal(self) -> str:
        return self.attempt("journalctl", "--no-pager", "--lines=30").stdout

    def property(self, unit: str, name: str) -> str:
        """A property of a unit, as shown by systemctl show."""
        return self.run("systemctl", "show", "--property", name, "--value", unit)


def debian_mirror() -> str:
    """The mirror that this machine itself uses for Debian 12."""
    wanted = ["Created-By: Packages", "Origin: Debian", "Codename: bookworm", "Component: main"]
    sites = subprocess.check_output(["apt-get", "indextargets", "--format", "$(SITE)", *wanted], text=True)
    return sites.split()[0]


def install_debian(root: Path, packages: list[str], later: Path) -> None:
    """Installs Debian 12 with `packages`, and downloads, without installing, the dependencies of the package file `later`."""

    def here(*command: str) -> None:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert done.returncode == 0, f"{command}: {done.stdout[-3000:]}"

    # systemd starts at boot, not before; other daemons of the packages do not start, as in any chroot.
    here("debootstrap", "--variant=minbase", "bookworm", str(root), debian_mirror())
    policy = root / "usr/sbin/policy-rc.d"
    policy.write_text("#!/bin/sh\nexit 101\n")
    policy.chmod(0o755)
    install = ["chroot", str(root), "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet"]
    here(*install, "--no-install-recommends", *packages)
    here(*install, "--download-only", f"/{later.relative_to(root)}")
    policy.unlink()


@contextlib.contextmanager
def booted(root: Path, log: Path) -> Iterator[Machine]:
    """Boots the system in `root`, with its console in `log`, and shuts it down at the end."""
    command = ["systemd-nspawn", "--quiet", f"--directory={root}", "--boot", "--private-network", "--console=pipe"]
    # This machine may run without systemd.
    command += ["--register=no", "--keep-unit"]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        machine = Machine(root, eventually("the container has an init", lambda: first_child(process), process, log))
        # --wait waits until the boot has completed.
        eventually(
            "the container is up",
            lambda: machine.attempt("systemctl", "is-system-running", "--wait").stdout.strip() == "running",
            process,
            log,
        )
        yield machine
    finally:
        # systemd-nspawn passes the signal on, for a clean shutdown.
        process.terminate()
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def first_child(process: subprocess.Popen[bytes]) -> int | None:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return int(children[0]) if children else None


def eventually(what: str, probe, process: subprocess.Popen[bytes], log: Path, timeout: float = 120):
    deadline = time.monotonic() + timeout
    while not (value := probe()):
        alive = process.poll() is None and time.monotonic() < deadline
        assert alive, f"not within the time: {what}\n{log.read_text(errors='replace')[-3000:]}"
        time.sleep(0.2)
    return value

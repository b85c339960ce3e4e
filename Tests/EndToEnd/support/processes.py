"""Starts processes for the tests, and waits for conditions."""

import contextlib
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def eventually(what: str, probe: Callable[[], T | None], timeout: float = 20, interval: float = 0.05) -> T:
    """Returns the first true value of `probe`, or fails with `what` after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {timeout} s: {what}")
        time.sleep(interval)
    return value


def free_port() -> int:
    """A port of the loopback interface on which no process was listening a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def answers(url: str, method: str = "GET") -> bool:
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method=method), timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def running(command: list[str | Path], log: Path, ready: Callable[[], bool], timeout: float = 60) -> Iterator[None]:
    """Runs a process with its output in `log`, enters the block once the process is ready, and stops it at the end."""
    name = Path(command[0]).name
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)

    def is_ready() -> bool:
        if process.poll() is not None:
            raise AssertionError(f"{name} ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
        return ready()

    try:
        eventually(f"{name} is ready, see {log}", is_ready, timeout)
        yield
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

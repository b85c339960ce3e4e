"""A worker with one thread and no web server, and requests like those that nginx sends it."""

import contextlib
import functools
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sides import PROJECT


def directives(text: str) -> Iterator[str]:
    """The lines of a configuration, with those of the project's files that it includes."""
    for line in map(str.strip, text.splitlines()):
        if found := re.fullmatch(r"include (/etc/lps/nginx|lps)/(.*);", line):
            folder = PROJECT / "nginx" / ("" if found[1] == "lps" else "etc")
            yield from directives((folder / found[2]).read_text())
        else:
            yield line


@functools.cache
def passed() -> list[tuple[str, str, bool]]:
    """The parameters that nginx passes with requests under /v2/: the name, the value, and whether an empty one is left out."""
    server = (PROJECT / "nginx/server.conf").read_text()
    location = re.search(r"^location \^~ /v2/ \{\n(.*?)^\}", server, re.MULTILINE | re.DOTALL)[1]
    found = (re.fullmatch(r"fastcgi_param (\w+) (\S+)( if_not_empty)?;", line) for line in directives(location))
    return [(each[1], each[2], bool(each[3])) for each in found if each]


@dataclass
class Request:
    """A request of a client, with the file into which nginx has written its body."""

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    body: Path | None = None

    def parameters(self) -> dict[str, str]:
        variables = {
            "$request_method": self.method, "$document_uri": self.path, "$query_string": self.query,
            "$request_id": "0123456789abcdef0123456789abcdef", "$request_body_file": str(self.body or ""),
            "$content_type": self.headers.get("content_type", ""), "$lps_namespaces": "*",
            "$lps_readable_namespaces": "",
            "$lps_accel_prefix": "/lps-internal",
        }
        values = {}
        for name, value, left_out in passed():
            if header := re.fullmatch(r"\$http_(\w+)", value):
                value = self.headers.get(header[1], "")
            elif value.startswith("$"):
                value = variables[value]
            if value or not left_out:
                values[name] = value
        return values

    def records(self) -> bytes:
        """The request as nginx sends it, without content (FastCGI 1.0, sections 3 to 6)."""
        encoded = b""
        for name, value in self.parameters().items():
            for text in (name, value):
                encoded += bytes([len(text)]) if len(text) < 128 else struct.pack(">I", len(text) | 1 << 31)
            encoded += (name + value).encode("ascii")
        begin = struct.pack(">HB5x", 1, 0)
        return record(1, begin) + record(4, encoded) + record(4, b"") + record(5, b"")


def record(kind: int, content: bytes) -> bytes:
    return struct.pack(">BBHHBB", 1, kind, 1, len(content), 0, 0) + content


@dataclass
class LoneWorker:
    store: Path
    socket: Path

    def answers(self, requests: list[Request]) -> list[bytes]:
        """Sends all requests, and then reads the answers: the worker never waits for the next one."""
        with contextlib.ExitStack() as stack:
            connections = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in requests]
            for connection, request in zip(connections, requests, strict=True):
                connection.settimeout(120)
                connection.connect(str(self.socket))
                connection.sendall(request.records())
            return [b"".join(iter(lambda each=each: each.recv(1 << 16), b"")) for each in connections]


@contextlib.contextmanager
def lone_worker(binaries: Path, folder: Path, tool: list[str]) -> Iterator[LoneWorker]:
    """Starts a worker, by the command of a tool that watches it; at the end stops it and waits for the tool."""
    worker, log = LoneWorker(folder / "store", folder / "socket"), folder / "log"
    if not worker.store.exists():
        subprocess.run([binaries / "lps", "init", "--store", worker.store], check=True, stdout=subprocess.DEVNULL)
    command = [*tool, binaries / "lps-worker", "--store", worker.store, "--listen", worker.socket]
    command += ["--threads", "1", "--reserve", "0"]
    # The hashes of dictionaries' keys would differ from run to run, and with them the work of looking them up.
    environment = {"PATH": os.environ["PATH"], "XDG_RUNTIME_DIR": str(folder), "SWIFT_DETERMINISTIC_HASHING": "1"}
    with log.open("w") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=output, env=environment)
    try:
        while "msg=serving" not in log.read_text():
            if process.poll() is not None:
                raise SystemExit(f"{' '.join(map(str, command))}\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield worker
    finally:
        if process.poll() is None:
            # strace(1) runs the worker as its child.
            children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
            os.kill(int(children[0]) if children else process.pid, signal.SIGTERM)
            process.wait()
    if process.returncode:
        raise SystemExit(f"status {process.returncode}: {' '.join(map(str, command))}\n{log.read_text()[-2000:]}")

"""The servers that are compared: the service with a disk store or a bucket, nginx alone, and the engine alone."""

import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

PROJECT = Path(__file__).parents[2]
NO_METADATA = hashlib.sha256().hexdigest()
TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def free_ports(count: int) -> int:
    """The first of `count` consecutive free ports, below the range that the kernel assigns to clients."""
    while True:
        first = random.randrange(10_000, 30_000)
        with contextlib.ExitStack() as listeners, contextlib.suppress(OSError):
            for port in range(first, first + count):
                listeners.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first


@dataclass(frozen=True)
class CPU:
    """Seconds of processor time."""

    user: float = 0
    kernel: float = 0

    def __add__(self, other: "CPU") -> "CPU":
        return CPU(self.user + other.user, self.kernel + other.kernel)

    def __sub__(self, other: "CPU") -> "CPU":
        return CPU(self.user - other.user, self.kernel - other.kernel)

    @property
    def seconds(self) -> float:
        return self.user + self.kernel


@dataclass
class Side:
    """A server, and the requests that store and fetch the payload with a given `tail` and `digest`."""

    name: str
    folder: Path
    process: subprocess.Popen
    port: int
    tls_port: int
    put_headers: list[str] = field(default_factory=list)
    # The programs whose CPU time is reported separately.
    programs: tuple[str, ...] = ()

    def url(self, tls: bool) -> str:
        return f"https://127.0.0.1:{self.tls_port}" if tls else f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def upload_url(self, tls: bool) -> Iterator[str]:
        """Like `url`, for wrk's uploads. stunnel adds TLS, because wrk's own TLS damages large bodies: it does not repeat a
        write unchanged when OpenSSL requires it."""
        if not tls:
            yield self.url(tls)
            return
        port = free_port()
        configuration = self.folder / "stunnel.conf"
        configuration.write_text(f"""
foreground = yes
syslog = no
debug = err
pid =
[lps]
client = yes
accept = 127.0.0.1:{port}
connect = 127.0.0.1:{self.tls_port}
""")
        with running(["stunnel4", configuration], self.folder / "stunnel.log", f"http://127.0.0.1:{port}{self.health}"):
            yield f"http://127.0.0.1:{port}"

    def processes(self, name: str = "") -> list[int]:
        """The server's current processes whose names start with `name`."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                children.setdefault(int(fields[1]), []).append(int(stat.parent.name))
        found, unseen = [], [self.process.pid]
        while unseen:
            pid = unseen.pop()
            unseen += children.get(pid, [])
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/comm").read_text().startswith(name):
                    found.append(pid)
        return found

    def cpu(self, name: str = "") -> CPU:
        """The processor time of these processes so far (utime and stime in proc(5))."""
        total = CPU()
        for pid in self.processes(name):
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += CPU(int(fields[11]) / TICKS, int(fields[12]) / TICKS)
        return total

    def written_bytes(self) -> int:
        """The bytes that the kernel wrote to the disk for the server's processes (write_bytes in proc(5))."""
        written = 0
        for pid in self.processes():
            with contextlib.suppress(OSError):
                for line in Path(f"/proc/{pid}/io").read_text().splitlines():
                    if line.startswith("write_bytes:"):
                        written += int(line.split()[1])
        return written


@dataclass
class Service(Side):
    programs: tuple[str, ...] = ("nginx", "lps-worker")

    def put(self, tail: str, digest: str) -> str:
        return f"/v2/blobs/put?namespace=bench&digest=sha256:{digest}"

    def get(self, tail: str, digest: str) -> str:
        return f"/v2/blobs/get?key=/blobs/bench/common/sha256:{digest}/sha256:{NO_METADATA}"

    def file(self, tail: str, digest: str) -> Path:
        return self.folder / f"store/objects/{digest[:2]}/{digest}"

    def get_headers(self, size: int) -> list[str]:
        return ["Content-Type: application/octet-stream", f"X-Payload-Expected-Content-Length: {size}"]

    health = "/v2/health/head"

    def peak_memory(self) -> int:
        """The largest resident memory of any worker so far, in bytes (VmHWM in proc(5))."""
        peaks = []
        for pid in self.processes("lps-worker"):
            status = Path(f"/proc/{pid}/status").read_text()
            peaks += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
        return max(peaks)

    def empty(self) -> None:
        for folder in ("objects", "keys"):
            for file in (self.folder / "store" / folder).rglob("*"):
                if file.is_file():
                    file.unlink()


@dataclass
class ServiceOnEngine(Service):
    """The service with payloads in a bucket. The S3 engine counts as one of its processes."""

    programs: tuple[str, ...] = ("nginx", "lps-worker", "weed")
    _seen: int = 0

    def cache_results(self) -> set[str]:
        """The cache results of the downloads since the last call: HIT, MISS and others."""
        with (self.folder / "log/access.log").open("rb") as log:
            log.seek(self._seen)
            lines = log.read()
        self._seen += len(lines)
        return {result.decode() for result in re.findall(rb" cache=(\w+)\n", lines)}


@dataclass
class Engine(Side):
    """The engine of a service, used directly, with presigned URLs like those of any S3 client."""

    BUCKET = "payloads"

    def __post_init__(self) -> None:
        # Installed only for the interpreter that runs bench_s3.py.
        import boto3
        from botocore.config import Config

        lines = (self.folder / "s3/credentials.env").read_text().split()
        credentials = dict(line.split("=", 1) for line in lines)
        self._client = boto3.client(
            "s3", endpoint_url=self.url(False), region_name="us-east-1",
            aws_access_key_id=credentials["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=credentials["AWS_SECRET_ACCESS_KEY"],
            config=Config(
                signature_version="s3v4", s3={"addressing_style": "path"}, request_checksum_calculation="when_required"
            ),
        )
        self.health = self._signed("head_bucket")

    def _signed(self, operation: str, **parameters: str) -> str:
        url = self._client.generate_presigned_url(operation, Params={"Bucket": self.BUCKET, **parameters})
        return url.removeprefix(self.url(False))

    def put(self, tail: str, digest: str) -> str:
        return self._signed("put_object", Key=self._key(digest))

    def get(self, tail: str, digest: str) -> str:
        return self._signed("get_object", Key=self._key(digest))

    def _key(self, digest: str) -> str:
        return f"/blobs/bench/common/sha256:{digest}/sha256:{NO_METADATA}"

    def get_headers(self, size: int) -> list[str]:
        return []

    def processes(self, name: str = "weed") -> list[int]:
        return super().processes("weed")


class Dav(Side):
    def put(self, tail: str, digest: str) -> str:
        return f"/files/{tail}"

    get = put

    def file(self, tail: str, digest: str) -> Path:
        return self.folder / "files" / tail

    def get_headers(self, size: int) -> list[str]:
        return []

    health = "/files/health"

    def empty(self) -> None:
        shutil.rmtree(self.folder / "files")
        (self.folder / "files").mkdir()
        (self.folder / "files/health").touch()


@contextlib.contextmanager
def running(command: list, log: Path, url: str) -> Iterator[subprocess.Popen]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=2).close()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"{command[0]} does not serve {url}:\n{log.read_text()[-2000:]}")
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


@contextlib.contextmanager
def service(folder: Path, workers: int, project: Path = PROJECT) -> Iterator[Service]:
    """The service, started like `make run`; for another checkout, with the binaries built there."""
    with run_local(folder, workers, project) as where:
        yield Service("service", folder, *where, SERVICE_PUT_HEADERS)


@contextlib.contextmanager
def service_on_engine(folder: Path, workers: int, weed: Path) -> Iterator[tuple[ServiceOnEngine, Engine]]:
    """The service, started like `make run STORE=s3`, and its engine."""
    port = free_ports(8)
    with run_local(folder, workers, PROJECT, "", weed, str(port)) as where:
        ours = ServiceOnEngine("service", folder, *where, SERVICE_PUT_HEADERS)
        yield ours, Engine("engine", folder, ours.process, port, 0)


SERVICE_PUT_HEADERS = ["Content-Type: application/octet-stream", "X-Temporal-Metadata: e30="]


@contextlib.contextmanager
def run_local(
    folder: Path, workers: int, project: Path, *more: str | Path
) -> Iterator[tuple[subprocess.Popen, int, int]]:
    """Starts nginx/run-local; returns its process, and the service's ports for HTTP and HTTPS."""
    port, tls_port = free_port(), free_port()
    folder.mkdir(exist_ok=True)
    binaries = os.environ["LPS_BIN_DIR"] if project == PROJECT else project / ".build/release"
    command = [project / "nginx/run-local", binaries, folder, str(port), str(tls_port), str(workers), *more]
    with running(command, folder / "run.log", f"http://127.0.0.1:{port}/v2/health/head") as process:
        yield process, port, tls_port


@contextlib.contextmanager
def dav(folder: Path, certificates: Path) -> Iterator[Dav]:
    """The alternative without the service: nginx stores uploads itself (dav_methods PUT), unverified and unsynced."""
    port, tls_port = free_port(), free_port()
    (folder / "files").mkdir(parents=True)
    (folder / "files/health").touch()
    site = (PROJECT / "nginx/site.conf").read_text()
    tls = "".join(line + "\n" for line in site.splitlines() if line.strip().startswith("ssl_") and "certificate" not in line)
    (folder / "nginx.conf").write_text(f"""
daemon off;
{"user root;" if os.geteuid() == 0 else ""}
worker_processes auto;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
    access_log {folder}/access.log;
    sendfile on;
    tcp_nopush on;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        listen 127.0.0.1:{tls_port} ssl http2;
        ssl_certificate {certificates}/cert.pem;
        ssl_certificate_key {certificates}/key.pem;
        {tls}
        root {folder};
        client_max_body_size 1g;
        location /files/ {{ dav_methods PUT; }}
    }}
}}
""")
    command = ["nginx", "-p", folder, "-c", folder / "nginx.conf", "-e", folder / "error.log"]
    with running(command, folder / "run.log", f"http://127.0.0.1:{port}/files/health") as process:
        yield Dav("dav", folder, process, port, tls_port)

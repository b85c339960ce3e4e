"""The installed service, from the view of an operator and a client in the container."""

import hashlib
import json
import os
import time
from dataclasses import dataclass
from pathlib import Path

from machine import Machine

CURL = ("curl", "--silent", "--show-error", "--cacert", "/etc/ssl/lps/cert.pem")


@dataclass
class Service:
    machine: Machine

    def install(self, package: str = "/lps.deb") -> None:
        self.machine.run("apt-get", "install", "--yes", "--quiet", "--allow-downgrades", package)

    def make_certificate(self) -> None:
        if (self.machine.root / "etc/ssl/lps/cert.pem").exists():
            return
        self.machine.run("mkdir", "--parents", "/etc/ssl/lps")
        certificate = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
        certificate += " -addext subjectAltName=DNS:localhost -keyout /etc/ssl/lps/key.pem -out /etc/ssl/lps/cert.pem"
        self.machine.run(*certificate.split())

    def open_site(self) -> None:
        """Creates the site as in the README, for a server that has no TLS site yet."""
        self.make_certificate()
        http = self.machine.root / "etc/nginx/conf.d/lps-http.conf"
        if not http.is_symlink() and not http.exists():
            self.machine.run("ln", "--symbolic", "../lps/http.conf", "/etc/nginx/conf.d/lps-http.conf")
        if not (self.machine.root / "etc/nginx/sites-available/lps").exists():
            self.machine.run("cp", "/usr/share/lps/site.conf", "/etc/nginx/sites-available/lps")
            self.machine.run("cp", "/usr/share/lps/status-site.conf", "/etc/nginx/conf.d/lps-status.conf")
        self.machine.run("ln", "--symbolic", "--force", "../sites-available/lps", "/etc/nginx/sites-enabled/lps")
        self.reload_nginx()

    def reload_nginx(self) -> None:
        """Reloads nginx, and waits until its previous worker processes are gone."""
        self.machine.run("nginx", "-t", "-q")
        before = self.nginx_workers()
        self.machine.run("systemctl", "reload", "nginx")
        self.eventually_replaced(before)

    def workers(self) -> dict[str, str]:
        """The process ID of each running worker, by unit."""
        units = self.machine.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "lps-worker@*")
        names = [line.split()[0] for line in units.splitlines()]
        return {name: self.machine.property(name, "MainPID") for name in names}

    def nginx_workers(self) -> set[str]:
        """nginx's worker processes, including those that are shutting down."""
        return set(self.machine.attempt("pgrep", "--full", "nginx: worker process").stdout.split())

    def eventually_replaced(self, nginx_workers: set[str]) -> None:
        """Waits until a reload is complete: a process that is about to exit may cut off HTTP/2 connections."""
        deadline = time.monotonic() + 60
        while nginx_workers & self.nginx_workers():
            assert time.monotonic() < deadline, self.machine.journal()
            time.sleep(0.1)

    def put(self, content: bytes) -> str:
        """Uploads through nginx, and returns the key."""
        return json.loads(self._upload(content, "--fail"))["Key"]

    def put_status(self, content: bytes) -> int:
        """Uploads through nginx, and returns the answer's status."""
        return int(self._upload(content, "--output", "/dev/null", "--write-out", "%{http_code}"))

    def _upload(self, content: bytes, *options: str) -> str:
        file = self.machine.root / "payload"
        file.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        url = f"https://localhost/v2/blobs/put?namespace=default&digest=sha256:{digest}"
        headers = ("--header", "Content-Type: application/octet-stream", "--header", "X-Temporal-Metadata: e30=")
        return self.machine.run(*CURL, *options, *headers, "--upload-file", "/payload", url)

    def get(self, key: str, length: int) -> tuple[int, bytes]:
        """Downloads through nginx, and returns status and body."""
        headers = ("--header", "Content-Type: application/octet-stream")
        headers += ("--header", f"X-Payload-Expected-Content-Length: {length}")
        url = f"https://localhost/v2/blobs/get?key={key}"
        status = self.machine.run(*CURL, *headers, "--output", "/fetched", "--write-out", "%{http_code}", url)
        return int(status), (self.machine.root / "fetched").read_bytes()

    def object_file(self, content: bytes) -> Path:
        digest = hashlib.sha256(content).hexdigest()
        return self.machine.root / "var/lib/lps/objects" / digest[:2] / digest

    def make_old(self, content: bytes, days: int) -> None:
        """Makes a payload's keys look as if it was stored `days` ago."""
        stored = time.time() - days * 86_400
        digest = hashlib.sha256(content).hexdigest()
        keys = list((self.machine.root / "var/lib/lps/keys").rglob(f"{digest}.*"))
        assert keys, content
        for key in keys:
            os.utime(key, (stored, stored))

    def eventually_healthy(self) -> None:
        deadline = time.monotonic() + 60
        while self.machine.attempt(*CURL, "--fail", "--head", "https://localhost/v2/health/head").returncode != 0:
            assert time.monotonic() < deadline, self.machine.journal()
            time.sleep(0.1)

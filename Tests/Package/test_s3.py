"""A store in a bucket, deployed with the commands in docs/s3.md, on an engine in the container."""

import re
import shutil
import time
from collections.abc import Iterator

import pytest

from guide import PROJECT, blocks
from machine import Machine
from service import CURL, Service
from test_package import wait_until
from test_sandbox import NOT_PERMITTED, answers, probe

GUIDE = (PROJECT / "docs/s3.md").read_text()
CONTENT = bytes(range(256)) * 2000
ENDPOINT = "http://127.0.0.1:8333"
KEY_ID = re.search(r"^ *aws_access_key_id = (.+)$", GUIDE, re.MULTILINE)[1]
SECRET = re.search(r"^ *aws_secret_access_key = (.+)$", GUIDE, re.MULTILINE)[1]


def follow(machine: Machine, title: str) -> list[str]:
    """Runs a section's commands in one shell, as an operator would, and returns the output of each block."""
    script = machine.root / "root/steps"
    script.write_text("set -euo pipefail\n" + "echo '----'\n".join(blocks("docs/s3.md", title)))
    return machine.run("bash", "/root/steps").split("----")


class Engine:
    """SeaweedFS in the container."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        for file in (PROJECT / ".build/s3/bin/weed", PROJECT / "nginx/run-s3"):
            shutil.copy(file, machine.root / "usr/local/bin")
        folder = machine.root / "srv/seaweedfs"
        folder.mkdir(exist_ok=True)
        (folder / "credentials.env").write_text(f"AWS_ACCESS_KEY_ID={KEY_ID}\nAWS_SECRET_ACCESS_KEY={SECRET}\n")

    def start(self) -> None:
        unit = ("systemd-run", "--quiet", "--collect", "--unit=seaweedfs", "--property=KillSignal=SIGKILL")
        self.machine.run(*unit, "/usr/local/bin/run-s3", "/usr/local/bin/weed", "/srv/seaweedfs", "8333")
        deadline = time.monotonic() + 60
        while self.machine.attempt("curl", "--silent", "--fail", f"{ENDPOINT}/healthz").returncode != 0:
            assert time.monotonic() < deadline, (self.machine.root / "srv/seaweedfs/log").read_text()[-3000:]
            time.sleep(0.2)

    def kill(self) -> None:
        self.machine.run("systemctl", "stop", "seaweedfs")

    def request(self, method: str, path: str, body: bytes = b"") -> str:
        """Sends a request as another S3 client."""
        (self.machine.root / "body").write_bytes(body)
        curl = ("curl", "--silent", "--show-error", "--fail-with-body", "--path-as-is", "--aws-sigv4", "aws:amz:us-east-1:s3")
        upload = ("--upload-file", "/body") if body else ()
        return self.machine.run(*curl, "--user", f"{KEY_ID}:{SECRET}", "--request", method, *upload, f"{ENDPOINT}{path}")


@pytest.fixture(scope="module")
def engine(machine: Machine) -> Iterator[Engine]:
    engine = Engine(machine)
    engine.start()
    engine.request("PUT", "/payloads")
    yield engine
    engine.kill()


@pytest.fixture(scope="module")
def deployed(machine: Machine, engine: Engine) -> Iterator[Service]:
    """The package, deployed as in the guide."""
    service = Service(machine)
    service.install()
    service.open_site()
    before = service.nginx_workers()
    follow(machine, "Deploy it")
    service.eventually_replaced(before)
    service.eventually_healthy()
    yield service
    machine.run("dpkg", "--purge", "lps")
    shutil.rmtree(machine.root / "etc/lps", ignore_errors=True)
    machine.run("systemctl", "daemon-reload")


def lps(machine: Machine, *arguments: str) -> str:
    """Runs the tool as in the guide."""
    shell = 'set -a && . /etc/default/lps && exec runuser -u www-data -- lps "$@"'
    return machine.run("bash", "-c", shell, "lps", *arguments)


def cache_of_last_download(machine: Machine) -> str:
    log = (machine.root / "var/log/nginx/lps.log").read_text()
    return ([""] + re.findall(r"/v2/blobs/get.* cache=(\S+)$", log, re.MULTILINE))[-1]


def test_payloads_are_stored_in_the_bucket_and_read_through_the_cache(machine: Machine, deployed: Service) -> None:
    key = deployed.put(CONTENT)
    assert f"{key}\n" in lps(machine, "ls") + "\n"
    for cache in ("MISS", "HIT"):
        assert deployed.get(key, len(CONTENT)) == (200, CONTENT)
        wait_until(machine, lambda cache=cache: cache_of_last_download(machine) == cache)
    machine.run("systemctl", "restart", "lps-worker@*")
    read, _ = follow(machine, "nginx's cache")
    assert "0 damaged" in read
    assert deployed.get(key, len(CONTENT)) == (200, CONTENT)
    wait_until(machine, lambda: cache_of_last_download(machine) == "MISS")
    assert list((machine.root / "var/lib/lps/incoming").iterdir()) == []
    assert not (machine.root / "var/lib/lps/objects").exists() or not list((machine.root / "var/lib/lps/objects").glob("*/*"))
    assert machine.run("stat", "--format=%U:%G %a", "/etc/lps/credentials") == "root:www-data 640"


def test_no_log_contains_credentials_or_signed_urls(machine: Machine, deployed: Service, engine: Engine) -> None:
    deployed.get(deployed.put(b"logged"), 6)
    logs = machine.run("journalctl", "--no-pager", "--output=cat", "--unit=lps-worker@*", "--unit=lps-gc", "--unit=lps-scrub")
    logs += "".join(file.read_text() for file in (machine.root / "var/log/nginx").glob("*.log"))
    assert SECRET not in logs and "Signature=" not in logs and "X-Amz" not in logs


def test_the_timers_collect_and_scrub_the_bucket(machine: Machine, deployed: Service, engine: Engine) -> None:
    settings = machine.root / "etc/default/lps"
    before = settings.read_text()
    key = deployed.put(b"damaged later")
    settings.write_text(before + "LPS_GC_OLDER_THAN=45d\n")
    drop_in = machine.root / "etc/systemd/system/lps-gc.service.d/now.conf"
    try:
        machine.run("systemctl", "start", "lps-gc.service")
        assert "deleted 0 keys" in machine.run("journalctl", "--unit=lps-gc", "--no-pager", "--lines=5")
        machine.run("systemctl", "start", "lps-scrub.service")
        assert "0 damaged, 0 other findings" in machine.run("journalctl", "--unit=lps-scrub", "--no-pager", "--lines=5")

        engine.request("PUT", "/payloads" + key.replace(":", "%3A"), b"damaged now!!")
        assert machine.attempt("systemctl", "start", "lps-scrub.service").returncode == 1
        assert "moved to /quarantine/" in machine.run("journalctl", "--unit=lps-scrub", "--no-pager", "--lines=12")
        machine.run("systemctl", "reset-failed")
        assert key not in lps(machine, "ls")

        # No key here is old enough to expire.
        unwanted = deployed.put(b"unwanted")
        drop_in.parent.mkdir()
        drop_in.write_text(f"[Service]\nExecStart=\nExecStart=/usr/bin/lps rm {unwanted}\n")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "lps-gc.service")
        assert unwanted not in lps(machine, "ls")
    finally:
        settings.write_text(before)
        shutil.rmtree(drop_in.parent, ignore_errors=True)
        machine.run("systemctl", "daemon-reload")


def test_the_service_waits_for_an_unavailable_engine(machine: Machine, deployed: Service, engine: Engine) -> None:
    """This includes workers that start meanwhile, while requests wait: systemd does not give up on them or their socket."""
    key = deployed.put(CONTENT)
    engine.kill()
    try:
        head = (*CURL, "--head", "https://localhost/v2/health/head")
        wait_until(machine, lambda: machine.run(*head).startswith("HTTP/2 503"))
        machine.run("systemctl", "kill", "--signal=SIGKILL", "lps-worker@*")
        waiting = machine.start(*head)
        # Long enough for 20 starts of one worker, if there were no pause between them.
        time.sleep(12)
    finally:
        engine.start()
    assert waiting.communicate(timeout=60)[0].startswith("HTTP/2 200")
    deployed.eventually_healthy()
    assert machine.property("lps.socket", "Result") == "success"
    # SeaweedFS can list objects before it can read them.
    wait_until(machine, lambda: deployed.get(key, len(CONTENT)) == (200, CONTENT))
    wait_until(machine, lambda: set(deployed.workers()) == {"lps-worker@1.service", "lps-worker@2.service"})


def test_wrong_credentials_end_a_start_with_one_line(machine: Machine, deployed: Service) -> None:
    credentials = machine.root / "etc/lps/credentials"
    before = credentials.read_text()
    credentials.write_text(before.replace(SECRET, "wrong"))
    try:
        tried = machine.attempt(*"runuser -u www-data -- env LPS_CONFIG=/etc/default/lps lps-worker --check".split())
        assert tried.returncode == 78
        [line] = tried.stdout.strip().splitlines()
        assert "SignatureDoesNotMatch" in line and "payloads" in line
    finally:
        credentials.write_text(before)


def test_with_a_bucket_such_a_program_reaches_also_the_network(machine: Machine, deployed: Service) -> None:
    with probe(machine) as unit:
        machine.run("systemctl", "start", unit)
        confined = answers(machine.run("journalctl", f"--unit={unit}", "--no-pager", "--output=cat", "--lines=20"))
    allowed = {name for name, answer in confined.items() if answer == "allowed"}
    assert allowed == {"store", "unix socket", "netlink", "internet", "internet 6"}
    assert {confined[name] for name in ("io_uring", "keyring", "being traced", "namespaces")} == {NOT_PERMITTED}


def test_a_store_on_disk_moves_to_the_bucket_and_back(machine: Machine, deployed: Service) -> None:
    settings = machine.root / "etc/default/lps"
    in_bucket = settings.read_text()
    on_disk = "".join(
        line for line in in_bucket.splitlines(keepends=True) if not line.startswith(("LPS_STORE=", "LPS_INCOMING=", "LPS_CACHE=", "AWS_"))
    )
    settings.write_text(on_disk)
    machine.run("systemctl", "restart", "lps-worker@*")
    key = deployed.put(b"stored on disk")
    snippet = machine.root / "etc/lps/nginx/v2.conf"
    before = snippet.read_text()
    outputs = follow(machine, "Move from a disk to a bucket")
    assert any("copied 1 payloads" in output for output in outputs), outputs
    assert snippet.read_text() == before
    deployed.object_file(b"stored on disk").unlink()
    deployed.eventually_healthy()
    assert deployed.get(key, 14) == (200, b"stored on disk")
    assert f"{key}\n" in lps(machine, "ls") + "\n"
    # A reload of nginx takes effect after a moment.
    wait_until(machine, lambda: deployed.put_status(b"stored in the bucket") in (200, 201))
    new = deployed.put(b"stored in the bucket")
    settings.write_text(in_bucket)
    shell = 'set -a && . /etc/default/lps && exec runuser -u www-data -- lps copy "$LPS_STORE" /var/lib/lps'
    machine.run("bash", "-c", shell)
    settings.write_text(on_disk)
    machine.run("systemctl", "restart", "lps-worker@*")
    assert deployed.get(new, 20) == (200, b"stored in the bucket")
    assert deployed.object_file(b"stored in the bucket").exists()
    settings.write_text(in_bucket)
    machine.run("systemctl", "restart", "lps-worker@*")


def test_a_purge_leaves_nothing_that_breaks_nginx_or_systemd(machine: Machine, deployed: Service) -> None:
    assert (machine.root / "var/cache/lps").exists()
    machine.run("apt-get", "purge", "--yes", "lps")
    for path in ("etc/nginx/conf.d/lps-http.conf", "etc/systemd/system/lps-.service.d/s3.conf", "var/cache/lps"):
        assert not (machine.root / path).is_symlink() and not (machine.root / path).exists(), path
    machine.run("nginx", "-t", "-q")

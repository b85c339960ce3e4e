"""The package's effects on a machine: installation, upgrade, removal."""

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from former import FILES, build as build_former
from guide import blocks
from machine import Machine
from service import CURL, Service

HERE = Path(__file__).parent
CONTENT = bytes(range(256)) * 2000


@pytest.fixture
def service(machine: Machine) -> Service:
    """The installed package with a site, whatever state the previous test left."""
    service = Service(machine)
    service.install()
    service.open_site()
    service.eventually_healthy()
    return service


@pytest.fixture
def newer_package(machine: Machine, package: Path, tmp_path: Path) -> str:
    """The same package with a later version number."""
    subprocess.run(["dpkg-deb", "--raw-extract", package, tmp_path / "new"], check=True)
    control = tmp_path / "new/DEBIAN/control"
    text = control.read_text()
    assert "\nVersion: " in text
    control.write_text("".join(
        "Version: 99.0\n" if line.startswith("Version: ") else line for line in text.splitlines(keepends=True)
    ))
    file = machine.root / "newer.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "--build", "-Znone", tmp_path / "new", file], check=True)
    return "/newer.deb"


@pytest.fixture
def settings(machine: Machine) -> Iterator[Path]:
    """The operator's settings file, restored after the test."""
    settings = machine.root / "etc/default/lps"
    before = settings.read_text()
    yield settings
    settings.write_text(before)


def test_lintian_reports_nothing(package: Path) -> None:
    checked = subprocess.run(
        ["lintian", "--fail-on", "error,warning", "--allow-root", package], stdout=subprocess.PIPE, text=True
    )
    assert checked.returncode == 0, checked.stdout


def test_the_package_has_the_version_of_its_programs(machine: Machine, service: Service) -> None:
    version = machine.run("dpkg-query", "--show", "--showformat", "${source:Upstream-Version}", "lps")
    assert machine.run("lps-worker", "--version") == f"lps-worker {version}"


def test_an_installation_serves_payloads_through_nginx(machine: Machine, service: Service) -> None:
    key = service.put(CONTENT)
    assert service.get(key, len(CONTENT)) == (200, CONTENT)
    assert len(service.workers()) == 2
    assert machine.run("systemctl", "is-enabled", "lps.target", "lps-gc.timer", "lps-scrub.timer").split() == ["enabled"] * 3
    assert machine.run("systemctl", "is-active", "lps-gc.timer", "lps-scrub.timer").split() == ["active"] * 2
    assert machine.run("stat", "--format=%U:%G %a", "/var/lib/lps") == "www-data:www-data 750"
    assert machine.run("systemctl", "is-system-running") == "running"


def test_the_status_page_and_the_watchdog_cover_every_worker(machine: Machine, service: Service) -> None:
    status = json.loads(machine.run(*CURL, "--fail", "http://127.0.0.1:8579/lps/status?json"))
    assert sorted(str(process["pid"]) for process in status["processes"]) == sorted(service.workers().values())
    # The kernel reports this through netlink, which the units must allow.
    assert status["listen_queue"]["waiting"] == 0
    for probe, answer in (("ping", "pong"), ("ready", "ready")):
        assert machine.run(*CURL, "--fail", f"http://127.0.0.1:8579/lps/{probe}") == answer
    assert machine.property("lps-worker@1", "WatchdogUSec") == "1min"


def test_a_reload_applies_settings_and_systemd_restarts_a_worker_that_exits(
    machine: Machine, service: Service, settings: Path
) -> None:
    workers = service.workers()
    before = settings.read_text()
    append(settings, "LPS_MAX_PAYLOAD=1k")
    machine.run("systemctl", "reload", "lps-worker@*")
    wait_until(machine, lambda: {service.put_status(CONTENT) for _ in range(20)} == {413})
    for worker in workers:
        machine.run("systemctl", "kill", "--signal=SIGUSR2", worker)
        wait_until(machine, lambda worker=worker: machine.property(worker, "NRestarts") == "1")
        wait_until(machine, lambda worker=worker: machine.property(worker, "ActiveState") == "active")
    service.eventually_healthy()
    assert set(service.workers()) == set(workers)
    assert set(service.workers().values()).isdisjoint(workers.values())
    assert {machine.property(worker, "Result") for worker in workers} == {"success"}
    settings.write_text(before)
    machine.run("systemctl", "reload", "lps-worker@*")
    wait_until(machine, lambda: {service.put_status(CONTENT) for _ in range(20)} <= {200, 201})


def test_other_workers_can_stop_after_a_failed_start(machine: Machine, service: Service) -> None:
    """The workers share one socket and its flags: if it became blocking, a worker waiting in accept(2) would miss a stop."""
    drop_in = machine.root / "etc/systemd/system/lps-worker@3.service.d/wrong.conf"
    drop_in.parent.mkdir()
    drop_in.write_text("[Service]\nEnvironment=LPS_THREADS=none\n")
    try:
        machine.run("systemctl", "daemon-reload")
        assert machine.attempt("systemctl", "start", "lps-worker@3").returncode != 0
        assert machine.property("lps-worker@3", "ExecMainStatus") == "78"
        for _ in range(40):
            service.eventually_healthy()
        machine.run("systemctl", "restart", "lps-worker@1", "lps-worker@2")
        service.eventually_healthy()
    finally:
        shutil.rmtree(drop_in.parent)
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "reset-failed")


def wait_until(machine: Machine, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, machine.journal()
        time.sleep(0.1)


def test_nothing_is_deleted_before_the_operator_sets_an_age(machine: Machine, service: Service) -> None:
    key = service.put(CONTENT)
    service.make_old(CONTENT, days=10_000)
    machine.run("systemctl", "start", "lps-gc.service")
    assert machine.property("lps-gc.service", "Result") == "exec-condition"
    assert service.get(key, len(CONTENT)) == (200, CONTENT)


def test_payloads_older_than_the_setting_are_deleted(machine: Machine, service: Service, settings: Path) -> None:
    append(settings, "LPS_GC_OLDER_THAN=45d")
    old = service.put(CONTENT)
    service.make_old(CONTENT, days=46)
    fresh = service.put(b"fresh")
    machine.run("systemctl", "start", "lps-gc.service")
    assert machine.property("lps-gc.service", "Result") == "success"
    assert service.get(old, len(CONTENT))[0] == 404
    assert service.get(fresh, 5) == (200, b"fresh")


def test_payloads_older_than_the_policy_go_to_the_trash_and_are_restored(
    machine: Machine, service: Service, settings: Path
) -> None:
    key = service.put(CONTENT)
    service.make_old(CONTENT, days=46)
    append(settings, "LPS_POLICY=/etc/lps-policy.ini")
    policy = machine.root / "etc/lps-policy.ini"
    policy.write_text("[default]\nquota = 1g\n")
    machine.run("systemctl", "start", "lps-gc.service")
    assert machine.property("lps-gc.service", "Result") == "exec-condition", "a quota is not a retention"
    policy.write_text("[default]\nquota = 1g\nretention = 45d\n")
    machine.run("systemctl", "start", "lps-gc.service")
    assert service.get(key, len(CONTENT))[0] == 404
    policy.unlink()
    machine.run("runuser", "-u", "www-data", "--", "lps", "undelete", "--store", "/var/lib/lps", key)
    assert service.get(key, len(CONTENT)) == (200, CONTENT)


def test_a_scrub_fails_if_content_is_damaged(machine: Machine, service: Service) -> None:
    service.put(CONTENT)
    machine.run("systemctl", "start", "lps-scrub.service")
    service.object_file(CONTENT).write_bytes(b"x" * len(CONTENT))
    assert machine.attempt("systemctl", "start", "lps-scrub.service").returncode == 1
    assert "lost: /blobs/default" in machine.run("journalctl", "--unit=lps-scrub", "--no-pager")
    machine.run("systemctl", "reset-failed")


def test_an_upgrade_replaces_every_worker_and_loses_no_request(
    machine: Machine, service: Service, newer_package: str
) -> None:
    machine.run("systemctl", "start", "lps-worker@3")
    before = service.workers()
    assert len(before) == 3
    socket = machine.property("lps.socket", "ActiveEnterTimestampMonotonic")
    stop = machine.root / "stop"
    stop.unlink(missing_ok=True)
    shutil.copy(HERE / "load", machine.root / "load")
    clients = [machine.start("/load", str(number)) for number in range(3)]
    slow = machine.start(
        *CURL, "--limit-rate", "100k", "--header", "Content-Type: application/octet-stream",
        "--header", "X-Temporal-Metadata: e30=", "--upload-file", "/payload", "--write-out", "%{http_code}",
        f"https://localhost/v2/blobs/put?namespace=slow&digest=sha256:{put_slow_payload(machine)}",
    )  # fmt: skip
    try:
        log_has_lines(machine, 20)
        service.install(newer_package)
        after = service.workers()
        log_has_lines(machine, 20)
    finally:
        stop.touch()
        outputs = [client.communicate(timeout=60)[0] for client in clients]
    answers = [line for output in outputs for line in output.splitlines()]
    assert set(answers) == {"200", "201"}, [line for line in answers if line not in ("200", "201")]
    assert slow.communicate(timeout=60)[0].endswith("201")
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values()), "every worker is a new process"
    assert machine.property("lps.socket", "ActiveEnterTimestampMonotonic") == socket


def append(settings: Path, line: str) -> None:
    settings.write_text(f"{settings.read_text()}{line}\n")


def put_slow_payload(machine: Machine) -> str:
    (machine.root / "payload").write_bytes(b"slow" * 150_000)
    return machine.run("sha256sum", "/payload").split()[0]


def log_has_lines(machine: Machine, count: int) -> None:
    """Waits until `count` more requests are logged."""
    log = machine.root / "var/log/nginx/lps.log"
    wanted = len(log.read_text().splitlines()) + count
    deadline = time.monotonic() + 60
    while len(log.read_text().splitlines()) < wanted:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_an_upgrade_keeps_a_changed_setting(
    machine: Machine, service: Service, newer_package: str, settings: Path
) -> None:
    append(settings, "LPS_THREADS=3")
    service.install(newer_package)
    assert settings.read_text().endswith("\nLPS_THREADS=3\n")
    starts = machine.run("journalctl", "--unit=lps-worker@1", "--no-pager", "--grep=msg=serving")
    assert " threads=3 " in starts.splitlines()[-1]


def test_an_upgrade_reports_and_survives_what_nginx_refuses(machine: Machine, service: Service, newer_package: str) -> None:
    conflict = machine.root / "etc/nginx/conf.d/own.conf"
    conflict.write_text("log_format lps '$status';\n")
    try:
        told = machine.run("apt-get", "install", "--yes", newer_package)
        assert "lps: nginx refuses its configuration" in told
        service.eventually_healthy()
    finally:
        conflict.unlink()


def test_an_installation_works_with_existing_directives_in_http(machine: Machine, service: Service) -> None:
    own = machine.root / "etc/nginx/conf.d/own.conf"
    own.write_text("large_client_header_buffers 8 16k;\nclient_max_body_size 1m;\nmap_hash_bucket_size 128;\n")
    try:
        machine.run("apt-get", "purge", "--yes", "lps")
        machine.run("apt-get", "install", "--yes", "/lps.deb")
        machine.run("nginx", "-t", "-q")
    finally:
        own.unlink()


def test_the_log_of_requests_is_not_readable_by_everyone(machine: Machine, service: Service) -> None:
    """The log contains keys."""
    assert machine.run("stat", "--format=%a", "/var/log/nginx/lps.log") == "640"


def test_a_store_can_be_on_another_disk(machine: Machine, service: Service) -> None:
    """As in the README: the disk is mounted at the store's path."""
    machine.run("systemctl", "stop", "lps.target", "lps-worker@*", "lps.socket")
    machine.run("mkdir", "--parents", "/srv/lps")
    machine.run("mount", "--bind", "/srv/lps", "/var/lib/lps")
    try:
        machine.run("lps", "init", "--store", "/var/lib/lps", "--owner", "www-data")
        machine.run("systemctl", "start", "lps.target")
        service.eventually_healthy()
        key = service.put(CONTENT)
        assert service.get(key, len(CONTENT)) == (200, CONTENT)
        assert machine.run("find", "/srv/lps/objects", "-type", "f", "-size", "+100k").count("\n") == 0
        machine.run("systemctl", "start", "lps-scrub.service")
        assert "read 1 files" in machine.run("journalctl", "--unit=lps-scrub", "--no-pager", "--lines=5")
    finally:
        machine.run("systemctl", "stop", "lps.target", "lps-worker@*", "lps.socket")
        machine.run("umount", "/var/lib/lps")
        machine.run("systemctl", "start", "lps.target")


@pytest.fixture
def former(machine: Machine, package: Path, tmp_path: Path) -> Iterator[Service]:
    """A machine with an earlier version of the package, and a site as in that version's README."""
    machine.run("dpkg", "--purge", "lps")
    build_former(package, tmp_path / "former", machine.root / "former.deb")
    service = Service(machine)
    service.install("/former.deb")
    service.open_site()
    service.eventually_healthy()
    yield service
    machine.run("dpkg", "--purge", "lps")


def test_an_upgrade_replaces_the_files_of_an_earlier_version(machine: Machine, former: Service) -> None:
    key = former.put(CONTENT)
    assert "lps: nginx" not in machine.run("apt-get", "install", "--yes", "/lps.deb")
    for name, today in FILES.items():
        assert machine.attempt("readlink", f"/{name}").stdout.strip() == (f"../lps/{today}" if today else ""), name
    machine.run("nginx", "-t", "-q")
    former.eventually_healthy()
    assert former.get(key, len(CONTENT)) == (200, CONTENT)
    assert former.put_status(bytes(3_000_000)) in (200, 201)


def test_an_upgrade_over_edited_files_of_an_earlier_version_leaves_them_in_use(machine: Machine, former: Service) -> None:
    edited = [machine.root / name for name in ("etc/nginx/snippets/lps.conf", "etc/nginx/sites-available/lps", "etc/default/lps")]
    edited[0].write_text(edited[0].read_text().replace("client_max_body_size 1g;", "client_max_body_size 2m;"))
    edited[1].write_text(edited[1].read_text() + "# Ours.\n")
    edited[2].write_text(edited[2].read_text() + "LPS_THREADS=3\n")
    before = [file.read_text() for file in edited]
    key = former.put(CONTENT)
    told = machine.run("apt-get", "install", "--yes", "/lps.deb")
    assert "these were edited: /etc/nginx/snippets/lps.conf" in told
    assert [file.read_text() for file in edited] == before
    assert machine.run("dpkg-query", "--show", "--showformat", "${Status}", "lps") == "install ok installed"
    former.eventually_healthy()
    assert former.get(key, len(CONTENT)) == (200, CONTENT)
    assert former.put_status(bytes(3_000_000)) == 413, "as the operator has it"

    # Follow the guide.
    (machine.root / "etc/lps/nginx/v2.conf").write_text(
        (machine.root / "etc/lps/nginx/v2.conf").read_text().replace("client_max_body_size 1g;", "client_max_body_size 4m;")
    )
    [commands] = blocks("docs/operations.md", "Edited files of an earlier version")
    machine.run("bash", "-euc", commands)
    former.eventually_healthy()
    assert former.get(key, len(CONTENT)) == (200, CONTENT)
    wait_until(machine, lambda: former.put_status(bytes(3_000_000)) in (200, 201))
    assert former.put_status(bytes(5_000_000)) == 413
    assert edited[1].read_text().endswith("# Ours.\n")


def test_man_pages_and_completions_work(machine: Machine, service: Service) -> None:
    assert machine.run("sh", "-c", "man --warnings lps lps-worker 2>&1 >/dev/null") == ""
    assert "gc" in machine.run("man", "lps")
    completed = machine.run(
        "bash", "-c", "source /usr/share/bash-completion/completions/lps; COMP_CWORD=1 COMP_WORDS=(lps g); "
        "COMP_LINE='lps g' COMP_POINT=5 COMP_TYPE=9; _lps lps g lps; echo ${COMPREPLY[*]}"
    )  # fmt: skip
    assert completed.split() == ["get", "gc"]
    completed = machine.run("fish", "--command", "complete --do-complete 'lps g'")
    assert sorted(line.split()[0] for line in completed.splitlines()) == ["gc", "get"]
    assert machine.run("zsh", "-c", "autoload -U compinit; compinit -D; echo $_comps[lps] $_comps[lps-worker]") == "_lps _lps-worker"
    machine.run("zsh", "-n", "/usr/share/zsh/vendor-completions/_lps")


def test_a_removal_stops_everything_and_keeps_payloads_and_settings(machine: Machine, service: Service) -> None:
    key = service.put(CONTENT)
    machine.run("apt-get", "remove", "--yes", "lps")
    assert machine.run("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "lps*") == ""
    assert machine.attempt("pgrep", "lps-worker").stdout == ""
    assert machine.run("systemctl", "is-system-running") == "running"
    assert (machine.root / "etc/default/lps").exists()
    machine.run("nginx", "-t", "-q")
    assert machine.run(*CURL, "--output", "/dev/null", "--write-out", "%{http_code}", "https://localhost/v2/health/head") == "503"
    service.install()
    service.eventually_healthy()
    assert service.get(key, len(CONTENT)) == (200, CONTENT)


def test_a_purge_leaves_the_payloads_and_nothing_else(machine: Machine, service: Service) -> None:
    key = service.put(CONTENT)
    machine.run("apt-get", "purge", "--yes", "lps")
    # The operator's certificate, caches, and the records of systemd's timers remain.
    ours = r".*/(lps|lps[-.].*|_lps.*|stamp-lps.*)"
    found = machine.run("find", "/etc", "/usr", "/lib/systemd", "/var", "/run", "-regextype", "egrep", "-regex", ours)
    others = ("/etc/ssl/lps", "/var/cache/", "/var/lib/systemd/timers/")
    found = [path for path in found.splitlines() if not path.startswith(others)]
    assert found == ["/var/lib/lps"]
    machine.run("nginx", "-t", "-q")
    service.install()
    service.open_site()
    service.eventually_healthy()
    assert service.get(key, len(CONTENT)) == (200, CONTENT)


def test_a_purge_deletes_the_payloads_on_request(machine: Machine, service: Service) -> None:
    service.put(CONTENT)
    machine.run("env", "LPS_PURGE_STORE=yes", "apt-get", "purge", "--yes", "lps")
    assert not (machine.root / "var/lib/lps").exists()

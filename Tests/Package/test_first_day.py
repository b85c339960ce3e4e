"""docs/it-does-not-work.md, row by row: causes each failure, checks its symptom, and fixes it with the commands of the page."""

import re
import shutil
from collections.abc import Iterator

import pytest

from guide import PROJECT, blocks
from machine import Machine
from service import CURL, Service
from test_package import CONTENT, wait_until

PAGE = "docs/it-does-not-work.md"
HEALTH = "https://localhost/v2/health/head"


@pytest.fixture
def service(machine: Machine) -> Iterator[Service]:
    """A new installation with a site, for each test."""
    machine.run("dpkg", "--purge", "lps")
    service = Service(machine)
    service.install()
    service.open_site()
    service.eventually_healthy()
    yield service
    machine.run("dpkg", "--purge", "lps")


def row(symptom: str) -> list[str]:
    """The commands in the row of a symptom."""
    [line] = [line for line in (PROJECT / PAGE).read_text().splitlines() if line.startswith("| ") and symptom in line.split(" | ")[0]]
    return [command.replace("\\|", "|") for command in re.findall(r"`([^`]+)`", line.split(" | ")[-1])]


def command(symptom: str, beginning: str) -> str:
    """The command in that row that starts with `beginning`."""
    [found] = [command for command in row(symptom) if command.startswith(beginning)]
    return found


def shell(machine: Machine, text: str) -> str:
    return machine.run("bash", "-c", text)


def test_the_four_questions_have_answers_on_a_healthy_machine(machine: Machine, service: Service) -> None:
    [questions] = blocks(PAGE)
    check, worker, probe, site = questions.splitlines()
    machine.run("bash", "-c", check)
    assert "ready" in machine.run("bash", "-c", worker)
    assert machine.run("bash", "-c", probe).endswith("ready")
    assert "HTTP/2 200" in machine.run("bash", "-c", site)


def test_http_conf_is_missing(machine: Machine, service: Service) -> None:
    machine.run("rm", "/etc/nginx/conf.d/lps-http.conf")
    refused = machine.attempt("nginx", "-t").stdout
    assert re.search(r'unknown "lps_\w+" variable|unknown log format "lps"|host not found in upstream "lps"', refused), refused
    shell(machine, command('unknown "lps_…" variable', "ln -s"))
    machine.run("nginx", "-t", "-q")


def test_a_directive_is_duplicated(machine: Machine, service: Service) -> None:
    site = machine.root / "etc/nginx/sites-available/lps"
    site.write_text(site.read_text().replace("server_tokens off;", "server_tokens off;\n    large_client_header_buffers 8 16k;"))
    assert '"large_client_header_buffers" directive is duplicate' in machine.attempt("nginx", "-t").stdout
    assert row('"large_client_header_buffers" directive is duplicate')
    site.write_text(site.read_text().replace("    large_client_header_buffers 8 16k;", ""))
    other = machine.root / "etc/nginx/conf.d/other.conf"
    other.write_text("map_hash_bucket_size 128;\n")
    try:
        assert '"map_hash_bucket_size" directive is duplicate' in machine.attempt("nginx", "-t").stdout
        assert row('"map_hash_bucket_size" directive is duplicate')
        conf = machine.root / "etc/nginx/nginx.conf"
        before = conf.read_text()
        conf.write_text(before.replace("http {", "http {\n    map_hash_bucket_size 128;"))
        other.unlink()
        machine.run("nginx", "-t", "-q")
        conf.write_text(before)
    finally:
        other.unlink(missing_ok=True)


def test_another_site_answers(machine: Machine, service: Service) -> None:
    other = machine.root / "etc/nginx/conf.d/other.conf"
    other.write_text(
        "server { listen 443 ssl; server_name localhost; ssl_certificate /etc/ssl/lps/cert.pem;"
        " ssl_certificate_key /etc/ssl/lps/key.pem; location / { return 404; } }\n"
    )
    try:
        site = machine.root / "etc/nginx/sites-available/lps"
        site.write_text(site.read_text().replace("server_name _;", "server_name payloads.example;"))
        service.reload_nginx()
        assert "404" in machine.run(*CURL, "--head", HEALTH).splitlines()[0]
        names = shell(machine, command("404, or a page of something else", "nginx -T"))
        assert "server_name localhost" in names and "include lps/server.conf" in names
        asked = command("404, or a page of something else", "curl").replace("NAME", "payloads.example")
        assert "HTTP/2 200" in shell(machine, asked)
    finally:
        other.unlink()
        service.reload_nginx()


def test_the_status_page_is_not_served(machine: Machine, service: Service) -> None:
    machine.run("rm", "/etc/nginx/conf.d/lps-status.conf")
    service.reload_nginx()
    ping = (*CURL, "http://127.0.0.1:8579/lps/ping")
    assert "curl: (7)" in machine.attempt(*ping).stdout
    shell(machine, command("curl: (7)", "cp"))
    service.reload_nginx()
    assert machine.run(*ping) == "pong"


def test_no_worker_runs(machine: Machine, service: Service) -> None:
    machine.run("systemctl", "stop", "lps.target", "lps.socket", "lps-worker@*")
    answer = machine.run(*CURL, "--get", "https://localhost/v2/blobs/get")
    assert answer == "no worker of the large payload service answers"
    shell(machine, command(answer, "systemctl start"))
    service.eventually_healthy()


def test_the_disk_is_not_mounted(machine: Machine, service: Service) -> None:
    machine.run("systemctl", "stop", "lps.target", "lps.socket", "lps-worker@*")
    store = machine.root / "var/lib/lps"
    store.rename(store.with_name("elsewhere"))
    try:
        check = blocks(PAGE)[0].splitlines()[0]
        refused = machine.attempt("bash", "-c", check)
        assert refused.returncode == 78 and "cannot be opened, create it with 'lps init'" in refused.stdout
        shell(machine, command("cannot be opened", "lps init"))
        machine.run("bash", "-c", check)
    finally:
        shutil.rmtree(store)
        store.with_name("elsewhere").rename(store)
        machine.run("systemctl", "start", "lps.target")


def test_nginx_runs_as_another_user(machine: Machine, service: Service) -> None:
    conf = machine.root / "etc/nginx/nginx.conf"
    before = conf.read_text()
    conf.write_text(before.replace("user www-data;", "user nobody nogroup;"))
    try:
        machine.run("systemctl", "restart", "nginx")
        assert service.put_status(CONTENT) in (500, 503)
        assert "Permission denied" in (machine.root / "var/log/nginx/error.log").read_text()
        assert "nobody" in shell(machine, command("Permission denied", "ps"))
    finally:
        conf.write_text(before)
        machine.run("systemctl", "restart", "nginx")
    assert command("Permission denied", "user") in before
    assert service.put_status(CONTENT) in (200, 201)


def test_a_payload_is_too_large(machine: Machine, service: Service) -> None:
    for name, old, new in (("v2", "client_max_body_size 1g;", "client_max_body_size 1m;"), ("http", "1073741824", "1048576")):
        file = machine.root / f"etc/lps/nginx/{name}.conf"
        file.write_text(file.read_text().replace(old, new))
    service.reload_nginx()
    assert service.put_status(bytes(3_000_000)) == 413
    assert row("413 `payload exceeds max size")


def test_the_caller_is_not_allowed(machine: Machine, service: Service) -> None:
    v2, http = (machine.root / f"etc/lps/nginx/{name}.conf" for name in ("v2", "http"))
    before = v2.read_text()
    v2.write_text(before + "allow 192.0.2.0/24;\ndeny all;\n")
    service.reload_nginx()
    assert service.put_status(CONTENT) == 403
    assert "deny all" in shell(machine, command("403 `not allowed`", "nginx -T"))
    v2.write_text(before)
    http.write_text(http.read_text().replace('default "*";', 'default "orders";'))
    service.reload_nginx()
    assert service.put_status(CONTENT) == 403
    assert 'default "orders"' in http.read_text() and "$lps_namespaces" in shell(machine, command("403 `not allowed`", "nginx -T"))


def test_the_disk_is_full_up_to_the_reserve(machine: Machine, service: Service) -> None:
    settings = machine.root / "etc/default/lps"
    settings.write_text(settings.read_text() + "LPS_RESERVE=1000000g\n")
    machine.run("systemctl", "restart", "lps-worker@*")
    wait_until(machine, lambda: service.put_status(CONTENT) == 507)
    assert "/var/lib/lps" in command("507 `store has", "df") and shell(machine, command("507 `store has", "df"))


def test_a_payload_is_not_found(machine: Machine, service: Service) -> None:
    key = service.put(CONTENT)
    elsewhere = key.replace("/default/", "/other/")
    assert service.get(elsewhere, len(CONTENT))[0] == 404
    look = command("404 `blob not found`", "runuser -u www-data -- lps stat")
    shell(machine, look.replace("KEY", key))
    assert "is not stored" in machine.attempt("bash", "-c", look.replace("KEY", elsewhere)).stdout


def test_the_certificate_is_not_trusted(machine: Machine, service: Service) -> None:
    assert "curl: (60)" in machine.attempt("curl", "--silent", "--show-error", "--head", HEALTH).stdout
    assert "DNS:localhost" in shell(machine, command("curl: (60)", "openssl"))


def test_the_origin_of_the_web_ui_is_not_listed(machine: Machine, service: Service) -> None:
    site = machine.root / "etc/nginx/sites-available/lps"
    site.write_text(site.read_text().replace("# include lps/codec.conf;", "include lps/codec.conf;"))
    service.reload_nginx()
    ask = command("the Web UI shows encoded payloads", "curl")
    assert shell(machine, ask) == '{"payloads":[]}'
    other = shell(machine, ask.replace("temporal.example.com", "other.example.com"))
    assert other == "origin is not allowed, see /etc/lps/nginx/http.conf"


def test_a_setting_has_no_effect(machine: Machine, service: Service) -> None:
    settings = machine.root / "etc/default/lps"
    settings.write_text(settings.read_text() + "LPS_THREADS=7\n")
    symptom = "a changed line of `/etc/default/lps` has no effect"
    shell(machine, command(symptom, "systemctl reload"))
    wait_until(machine, lambda: machine.attempt("bash", "-c", command(symptom, "journalctl")).returncode == 0)
    assert "needs a restart" in shell(machine, command(symptom, "journalctl"))
    shell(machine, command(symptom, "systemctl restart"))
    starts = machine.run("journalctl", "--unit=lps-worker@1", "--no-pager", "--grep=msg=serving")
    assert " threads=7 " in starts.splitlines()[-1]

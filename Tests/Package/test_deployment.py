"""The README's section on deployment, command by command, with payloads above nginx's default limit (1 MiB)."""

from collections.abc import Iterator

import pytest

from guide import blocks
from machine import Machine
from service import CURL, Service

CONTENT = bytes(range(256)) * 12_000


def shown(language: str) -> list[str]:
    """The code blocks of a language in the section's numbered steps."""
    return blocks("README.md", "Deploy it", language, indent="   ")


@pytest.fixture
def service(machine: Machine) -> Iterator[Service]:
    machine.run("dpkg", "--purge", "lps")
    service = Service(machine)
    service.make_certificate()
    service.install()
    yield service
    machine.run("dpkg", "--purge", "lps")


def test_the_complete_site_serves_payloads(machine: Machine, service: Service) -> None:
    deb, install, http, site, status, check = shown("sh")
    assert "make deb" in deb and "apt-get install" in install
    before = service.nginx_workers()
    machine.run("bash", "-euc", http + site)
    machine.run("bash", "-euc", status)
    service.eventually_replaced(before)
    service.eventually_healthy()
    answers = machine.run("bash", "-euc", check)
    assert "\nready\n" in f"\n{answers}" and "HTTP/2 200" in answers
    key = service.put(CONTENT)
    assert service.get(key, len(CONTENT)) == (200, CONTENT)


def test_an_existing_site_can_include_the_service(machine: Machine, service: Service) -> None:
    access, server, codec = shown("nginx")
    own = machine.root / "etc/nginx/conf.d/own.conf"
    own.write_text(
        "server {\nlisten 443 ssl;\nserver_name localhost;\nssl_certificate /etc/ssl/lps/cert.pem;\n"
        f"ssl_certificate_key /etc/ssl/lps/key.pem;\n{server}{codec}location / {{ return 200 'ours'; }}\n}}\n"
    )
    v2 = machine.root / "etc/lps/nginx/v2.conf"
    v2.write_text(v2.read_text() + access)
    machine.run("bash", "-euc", shown("sh")[2])
    try:
        service.reload_nginx()
        service.eventually_healthy()
        assert machine.run(*CURL, "https://localhost/") == "ours"
        key = service.put(CONTENT)
        assert service.get(key, len(CONTENT)) == (200, CONTENT)
        body = '{"payloads":[{"metadata":{},"data":"' + "YWJj" * 1_000_000 + '"}]}'
        (machine.root / "body").write_text(body)
        encoded = machine.run(*CURL, "--fail", "--data", "@/body", "https://localhost/codec/default/encode")
        (machine.root / "body").write_text(encoded)
        assert len(encoded) < 1000
        decoded = machine.run(*CURL, "--fail", "--data", "@/body", "https://localhost/codec/default/decode")
        assert "YWJj" * 1_000_000 in decoded
    finally:
        own.unlink()
        service.reload_nginx()


def test_nginx_restarts_after_a_removal(machine: Machine, service: Service) -> None:
    machine.run("bash", "-euc", "".join(shown("sh")[2:5]))
    machine.run("apt-get", "remove", "--yes", "lps")
    machine.run("systemctl", "restart", "nginx")
    machine.run("apt-get", "install", "--yes", "/lps.deb")

"""The stack shared by all tests: the service, started by `make run`, and a Temporal server whose Web UI uses it.

SWIFT_CODEC is the path of the Swift library's codec program, which `make e2e` builds."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import answers, free_port, running
from support.service import LargePayloadService
from support.temporal import TemporalServer, temporal_executable

PROJECT = Path(__file__).parents[2]

# Not Temporal's "default", so that tests notice if a namespace gets lost.
NAMESPACE = "payments"


@pytest.fixture(scope="session", autouse=True)
def teardown_on_sigterm() -> None:
    """Runs the teardown on SIGTERM, so that a run that is stopped leaves no process behind."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("stopped by SIGTERM", returncode=143))


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """The folder of logs and screenshots, which are kept after the run."""
    folder = Path(os.environ.get("E2E_ARTIFACTS", ".e2e")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def ui_port() -> int:
    """The Web UI's port, chosen first: the service needs the UI's origins, and the UI the service's address."""
    return free_port()


@pytest.fixture(scope="session")
def service(
    ui_port: int, artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LargePayloadService]:
    port = free_port()
    folder = tmp_path_factory.mktemp("service")
    service = LargePayloadService(f"http://127.0.0.1:{port}", folder / "store")
    origins = [f"http://{host}:{ui_port}" for host in ("127.0.0.1", "localhost")]
    command = ["make", "-C", PROJECT, "run", f"PORT={port}", f"TLS_PORT={free_port()}"]
    command += [f"DIR={folder}", f"CODEC_ORIGINS={' '.join(origins)}"]
    with running(command, artifacts / "service.log", lambda: answers(f"{service.url}/v2/health/head", "HEAD")):
        yield service


@pytest.fixture(scope="session")
def temporal_server(service: LargePayloadService, ui_port: int, artifacts: Path) -> Iterator[TemporalServer]:
    port = free_port()
    command = [temporal_executable(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port)]
    command += ["--namespace", NAMESPACE, "--log-level", "error"]
    command += ["--ui-port", str(ui_port), "--ui-codec-endpoint", service.codec_endpoint, "--ui-disable-news-fetch"]
    # The UI server answers this from the frontend: once it does, both are up and the namespace is registered.
    namespace_url = f"http://127.0.0.1:{ui_port}/api/v1/namespaces/{NAMESPACE}"
    with running(command, artifacts / "temporal.log", lambda: answers(namespace_url)):
        yield TemporalServer(f"127.0.0.1:{port}", NAMESPACE, ui_port)

"""The stack that all tests share: the service as `make run` runs it, and a Temporal server whose Web UI knows it.

SWIFT_CODEC is the codec program of the Swift library, which `make e2e` builds."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.processes import answers, free_port, running
from support.service import LargePayloadService
from support.temporal import TemporalServer, temporal_executable

PROJECT = Path(__file__).parents[2]

# Not Temporal's "default", so that a namespace that gets lost on the way is noticed.
NAMESPACE = "payments"


@pytest.fixture(scope="session", autouse=True)
def teardown_on_sigterm() -> None:
    """So that a run which is stopped from outside leaves no process behind."""
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("stopped by SIGTERM", returncode=143))


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Logs and screenshots, kept after the run."""
    folder = Path(os.environ.get("E2E_ARTIFACTS", ".e2e")).absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def ui_port() -> int:
    """Known before anything runs, since the service is told the UI's origins, and the UI the service's address."""
    return free_port()


@pytest.fixture(scope="session")
def service(
    ui_port: int, artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LargePayloadService]:
    port = free_port()
    service = LargePayloadService(f"http://127.0.0.1:{port}")
    origins = [f"http://{host}:{ui_port}" for host in ("127.0.0.1", "localhost")]
    command = ["make", "-C", PROJECT, "run", f"PORT={port}", f"TLS_PORT={free_port()}"]
    command += [f"DIR={tmp_path_factory.mktemp('service')}", f"CODEC_ORIGINS={' '.join(origins)}"]
    with running(command, artifacts / "service.log", lambda: answers(f"{service.url}/v2/health/head", "HEAD")):
        yield service


@pytest.fixture(scope="session")
def temporal_server(service: LargePayloadService, ui_port: int, artifacts: Path) -> Iterator[TemporalServer]:
    port = free_port()
    command = [temporal_executable(), "server", "start-dev", "--ip", "127.0.0.1", "--port", str(port)]
    command += ["--namespace", NAMESPACE, "--log-level", "error"]
    command += ["--ui-port", str(ui_port), "--ui-codec-endpoint", service.codec_endpoint, "--ui-disable-news-fetch"]
    # Answered by the UI server with what the frontend knows: both are up, and the namespace is registered.
    namespace_url = f"http://127.0.0.1:{ui_port}/api/v1/namespaces/{NAMESPACE}"
    with running(command, artifacts / "temporal.log", lambda: answers(namespace_url)):
        yield TemporalServer(f"127.0.0.1:{port}", NAMESPACE, ui_port)

"""Large payloads in Temporal's Web UI, which calls the service's codec server from the browser."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium import webdriver

from support.processes import eventually
from support.service import LargePayloadService, key_of
from support.temporal import TemporalServer
from support.web_ui import WorkflowPage, headless_chromium

MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def browser_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("browser")


@pytest.fixture(scope="module")
def browser(browser_folder: Path) -> Iterator[webdriver.Chrome]:
    with headless_chromium(browser_folder) as browser:
        yield browser


@pytest.fixture(autouse=True)
def last_view(browser: webdriver.Chrome, artifacts: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Keeps a screenshot of the page at the end of each test, even if it failed."""
    yield
    browser.save_screenshot(str(artifacts / f"{request.node.name}.png"))


def document(size: int) -> bytes:
    """A JSON string of `size` bytes, with non-ASCII text at both ends."""
    start, end = '"ANFANG-Größe '.encode(), ' ENDE-Größe"'.encode()
    padding = b"lorem ipsum " * (size // 12)
    return start + padding[: size - len(start) - len(end)] + end


def start_workflow(
    temporal_server: TemporalServer, service: LargePayloadService, workflow_id: str, payload: bytes, folder: Path
) -> None:
    file = folder / "input.json"
    file.write_bytes(payload)
    started = temporal_server.start_workflow(workflow_id, file, codec_endpoint=service.codec_endpoint)
    assert started.returncode == 0, started.stderr


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_the_ui_shows_a_payload_of_300_kilobytes(
    temporal_server: TemporalServer,
    service: LargePayloadService,
    browser: webdriver.Chrome,
    tmp_path: Path,
    host: str,
):
    workflow_id = f"shown-on-{host}"
    start_workflow(temporal_server, service, workflow_id, document(300_000), tmp_path)

    page = WorkflowPage(browser, f"http://{host}:{temporal_server.ui_port}", temporal_server.namespace, workflow_id)

    page.wait_for_start_of_input('"ANFANG-Größe lorem ipsum')
    page.wait_for_end_of_input('ENDE-Größe"')


def test_the_ui_offers_a_download_of_five_megabytes(
    temporal_server: TemporalServer,
    service: LargePayloadService,
    browser: webdriver.Chrome,
    browser_folder: Path,
    tmp_path: Path,
):
    payload = document(5 * MEBIBYTE)
    start_workflow(temporal_server, service, "downloaded", payload, tmp_path)

    page = WorkflowPage(browser, f"http://127.0.0.1:{temporal_server.ui_port}", temporal_server.namespace, "downloaded")
    page.wait_for_download_button("5 MB").click()

    # Chromium gives the file this name, chosen by the UI, once it is complete.
    file = eventually(
        "the download is complete",
        lambda: next((browser_folder / "downloads").glob("payload-wf-downloaded-run-*-input.json"), None),
    )
    # The UI parses the payload and writes it indented; a string is unchanged by that.
    assert (file.read_bytes() == payload) is True


def test_the_ui_shows_why_a_deleted_payload_is_missing(
    temporal_server: TemporalServer, service: LargePayloadService, browser: webdriver.Chrome, tmp_path: Path
):
    payload = document(400_000)
    start_workflow(temporal_server, service, "deleted", payload, tmp_path)
    service.delete(key_of(temporal_server.namespace, {"encoding": b"json/plain"}, payload))

    page = WorkflowPage(browser, f"http://127.0.0.1:{temporal_server.ui_port}", temporal_server.namespace, "deleted")

    page.wait_for_start_of_input('"error": "blob not found"')
    page.wait_for_start_of_input(f'"size": {len(payload)}')

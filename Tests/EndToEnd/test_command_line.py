"""A large input from Temporal's command line."""

import base64
import json
from pathlib import Path

import pytest

from support.service import REMOTE_CODEC, LargePayloadService, key_of, reference_data
from support.temporal import TemporalServer, input_payloads

TEXT = "invoice " * 375_000 + "MARKER-IN-THE-MIDDLE" + " receipt" * 375_000


@pytest.fixture(scope="module")
def six_megabytes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("input") / "six-megabytes.json"
    file.write_text(json.dumps(TEXT))
    return file


@pytest.fixture(
    scope="module",
    params=[pytest.param("", id="codec"), pytest.param("/{namespace}", id="codec_of_the_namespace")],
)
def codec_endpoint(service: LargePayloadService, request: pytest.FixtureRequest) -> str:
    """Both forms of the codec endpoint: the command line replaces {namespace} itself."""
    return service.codec_endpoint + request.param


@pytest.fixture(scope="module")
def workflow_id(
    temporal_server: TemporalServer, six_megabytes: Path, codec_endpoint: str, request: pytest.FixtureRequest
) -> str:
    """A workflow started with an input of six megabytes, through the codec server."""
    workflow_id = "namespaced" if "{namespace}" in codec_endpoint else "plain"
    started = temporal_server.start_workflow(workflow_id, six_megabytes, codec_endpoint=codec_endpoint)
    assert started.returncode == 0, started.stderr
    return workflow_id


def test_temporal_refuses_six_megabytes_without_the_codec_server(temporal_server: TemporalServer, six_megabytes: Path):
    started = temporal_server.start_workflow("refused", six_megabytes)

    assert started.returncode == 1
    assert "code = ResourceExhausted" in started.stderr
    assert "larger than max 4194304" in started.stderr


def test_the_history_contains_a_small_reference(temporal_server: TemporalServer, six_megabytes: Path, workflow_id: str):
    history = temporal_server.show(workflow_id, "--output", "json")

    [payload] = input_payloads(history)
    assert {name: base64.b64decode(value) for name, value in payload["metadata"].items()} == {
        "encoding": b"json/plain",
        REMOTE_CODEC: b"v2",
    }
    assert base64.b64decode(payload["data"]) == reference_data(
        temporal_server.namespace, {"encoding": b"json/plain"}, six_megabytes.read_bytes()
    )
    assert len(history) < 10_000


def test_show_prints_the_reference_without_the_codec_server(temporal_server: TemporalServer, workflow_id: str):
    shown = temporal_server.show(workflow_id, "--detailed")

    assert f"input.payloads[0].metadata.{REMOTE_CODEC}: {base64.b64encode(b'v2').decode()}\n" in shown
    assert "MARKER-IN-THE-MIDDLE" not in shown


def test_show_prints_the_text_with_the_codec_server(
    temporal_server: TemporalServer, workflow_id: str, codec_endpoint: str
):
    shown = temporal_server.show(workflow_id, "--detailed", codec_endpoint=codec_endpoint)

    # `is True`, because pytest would compare twelve megabytes to explain a failure of `in`.
    assert (f"input[0]: {TEXT}\n" in shown) is True


def test_show_prints_the_payload_as_json_with_the_codec_server(
    temporal_server: TemporalServer, six_megabytes: Path, workflow_id: str, codec_endpoint: str
):
    history = temporal_server.show(workflow_id, "--output", "json", codec_endpoint=codec_endpoint)

    [payload] = input_payloads(history)
    assert payload["metadata"] == {"encoding": base64.b64encode(b"json/plain").decode()}
    assert (base64.b64decode(payload["data"]) == six_megabytes.read_bytes()) is True


def test_show_prints_all_payloads_but_a_deleted_one(
    temporal_server: TemporalServer, service: LargePayloadService, codec_endpoint: str, tmp_path: Path
):
    workflow_id = "deleted-namespaced" if "{namespace}" in codec_endpoint else "deleted-plain"
    texts = [f"{workflow_id} {name} " + "lorem ipsum " * 20_000 for name in ("kept", "deleted", "also kept")]
    files = [tmp_path / f"{number}.json" for number in range(len(texts))]
    for file, text in zip(files, texts, strict=True):
        file.write_text(json.dumps(text))
    started = temporal_server.start_workflow(workflow_id, *files, codec_endpoint=codec_endpoint)
    assert started.returncode == 0, started.stderr
    metadata = {"encoding": b"json/plain"}
    service.delete(key_of(temporal_server.namespace, metadata, files[1].read_bytes()))

    shown = temporal_server.show(workflow_id, "--output", "json", codec_endpoint=codec_endpoint)

    payloads = input_payloads(shown)
    assert [base64.b64decode(payloads[index]["data"]) for index in (0, 2)] == [files[0].read_bytes(), files[2].read_bytes()]
    assert base64.b64decode(payloads[1]["metadata"][REMOTE_CODEC]) == b"v2"
    assert base64.b64decode(payloads[1]["data"]) == reference_data(
        temporal_server.namespace, metadata, files[1].read_bytes()
    )
    detailed = temporal_server.show(workflow_id, "--detailed", codec_endpoint=codec_endpoint)
    assert f"input.payloads[0]: {texts[0]}\n" in detailed
    assert f"input.payloads[1].data: {payloads[1]['data']}\n" in detailed
    assert f"input.payloads[2]: {texts[2]}\n" in detailed

"""The status page as read by Prometheus, and the dashboard and alerts for operators."""

import json
import os
import re
import signal
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from support.processes import answers, eventually, free_port, running
from support.service import LargePayloadService, digest_of

MONITORING = Path(__file__).parents[2] / "docs/monitoring"


def fetch(url: str) -> tuple[str, str]:
    with urllib.request.urlopen(url, timeout=10) as response:
        return response.headers["Content-Type"], response.read().decode()


def put(service: LargePayloadService, data: bytes, digest: str | None = None) -> int:
    query = urllib.parse.urlencode({"namespace": "monitoring", "digest": digest or digest_of(data)})
    headers = {"Content-Type": "application/octet-stream", "X-Temporal-Metadata": "e30="}
    request = urllib.request.Request(f"{service.url}/v2/blobs/put?{query}", data, headers, method="PUT")
    try:
        return urllib.request.urlopen(request, timeout=10).status
    except urllib.error.HTTPError as error:
        return error.code


def samples(service: LargePayloadService) -> list[Sample]:
    """The samples on the status page, read by OpenMetrics' own parser, which rejects violations of the format."""
    content_type, text = fetch(f"{service.url}/lps/status?openmetrics")
    assert content_type == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    return [sample for family in text_string_to_metric_families(text) for sample in family.samples]


@pytest.fixture(scope="module")
def prometheus(
    service: LargePayloadService, artifacts: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A Prometheus with our alerts, which scrapes the service every second, otherwise as in our example configuration."""
    folder = tmp_path_factory.mktemp("prometheus")
    config = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(MONITORING / "alerts.yml")]
    [job] = config["scrape_configs"]
    job["scheme"] = "http"
    job["static_configs"][0]["targets"] = [service.url.removeprefix("http://")]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
    address = f"127.0.0.1:{free_port()}"
    command = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data"]
    command += [f"--web.listen-address={address}"]
    with running(command, artifacts / "prometheus.log", lambda: answers(f"http://{address}/-/ready")):
        yield f"http://{address}"


def query(prometheus: str, expression: str) -> list[dict]:
    _, text = fetch(f"{prometheus}/api/v1/query?{urllib.parse.urlencode({'query': expression})}")
    return json.loads(text)["data"]["result"]


def rules(prometheus: str) -> list[dict]:
    _, text = fetch(f"{prometheus}/api/v1/rules")
    return json.loads(text)["data"]["groups"][0]["rules"]


def test_the_status_page_is_openmetrics_and_counts_requests(service: LargePayloadService) -> None:
    def stored() -> float:
        labels = {"endpoint": "put", "status": "201"}
        [sample] = [s for s in samples(service) if s.name == "lps_requests_total" and s.labels == labels]
        return sample.value

    before = stored()
    assert put(service, b"one for the counters") == 201
    assert stored() == before + 1
    buckets = [s for s in samples(service) if s.name == "lps_commit_duration_seconds_bucket"]
    assert buckets[-1].labels["le"] == "+Inf"
    assert buckets[-1].value >= before + 1


def test_every_query_of_the_dashboard_has_a_result(service: LargePayloadService, prometheus: str) -> None:
    dashboard = json.loads((MONITORING / "grafana-dashboard.json").read_text())
    expressions = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    assert len(expressions) > 20

    def load() -> None:
        for number in range(20):
            put(service, b"for the dashboard %d" % number)
            put(service, b"for the dashboard %d" % number, digest_of(b"something else"))

    def unanswered() -> list[str]:
        load()
        concrete = [e.replace("$instance", ".*").replace("$__rate_interval", "30s") for e in expressions]
        return [expression for expression in concrete if not query(prometheus, expression)]

    try:
        eventually("a result of each", lambda: not unanswered(), timeout=60)
    except AssertionError:
        assert unanswered() == []


def test_the_alerts_are_valid_and_use_existing_metrics(service: LargePayloadService, prometheus: str) -> None:
    names = {sample.name for sample in samples(service)}
    assert len(rules(prometheus)) >= 9
    for rule in rules(prometheus):
        asked = set(re.findall(r"\blps_\w+", rule["query"]))
        assert asked <= names, rule["name"]
    eventually(
        "every alert was evaluated",
        lambda: all(rule["health"] == "ok" for rule in rules(prometheus)),
    )


def test_an_alert_fires_after_a_worker_is_killed(service: LargePayloadService, prometheus: str) -> None:
    _, text = fetch(f"{service.url}/lps/status?json")
    os.kill(json.loads(text)["processes"][0]["pid"], signal.SIGKILL)

    def firing() -> list[str]:
        answers(f"{service.url}/v2/health/head", "HEAD")
        return [rule["name"] for rule in rules(prometheus) if rule["state"] == "firing"]

    eventually("LPSWorkersDie fires", lambda: "LPSWorkersDie" in firing(), timeout=60)

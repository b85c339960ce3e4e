"""Counts what a request costs a worker: system calls, allocations and instructions (`make costs`).

The figures are written to the JSON file RESULTS, and tables of them to the page next to it. With --check, they are compared
with those in another such file.
"""

import argparse
import functools
import hashlib
import itertools
import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from counting import MANY, Counting
from lone_worker import LoneWorker, Request
from page import publish, table
from sides import NO_METADATA

SIZE = 4096
TYPE = "application/octet-stream"
# The number of payloads that the store has at first.
STORED = 10

# The figures of each request, and their column titles.
FIGURES = {
    "system_calls": "system calls",
    "allocations": "allocations of the worker",
    "libfcgi_allocations": "allocations of libfcgi",
    "instructions": "instructions without SHA-256",
    "sha256_instructions": "instructions of SHA-256",
}


@dataclass(frozen=True)
class Payload:
    content: bytes
    digest: str


@functools.cache
def payloads() -> list[Payload]:
    """The payloads that are stored, and new ones of the same shard, whose folders exist."""
    contents = (number.to_bytes(4, "big") * (SIZE // 4) for number in itertools.count())
    all_shards = (Payload(content, hashlib.sha256(content).hexdigest()) for content in contents)
    return list(itertools.islice((each for each in all_shards if each.digest.startswith("00")), STORED + MANY))


def put(worker: LoneWorker, chosen: list[Payload]) -> None:
    """Uploads payloads, which nginx would have written into the store's folder."""
    requests = []
    for number, payload in enumerate(chosen):
        file = worker.store / "incoming" / f"{number:010}"
        file.write_bytes(payload.content)
        headers = {"content_type": TYPE, "content_length": str(SIZE), "x_temporal_metadata": "e30="}
        query = f"namespace=bench&digest=sha256:{payload.digest}"
        requests.append(Request("PUT", "/v2/blobs/put", query, headers, file))
    send(worker, requests)
    for request in requests:
        request.body.unlink()


def store(worker: LoneWorker) -> None:
    put(worker, payloads()[:STORED])


def put_new(worker: LoneWorker, count: int) -> None:
    put(worker, payloads()[STORED : STORED + count])


def put_existing(worker: LoneWorker, count: int) -> None:
    put(worker, existing(count))


def get(worker: LoneWorker, count: int) -> None:
    headers = {"content_type": TYPE, "x_payload_expected_content_length": str(SIZE)}
    keys = (f"/blobs/bench/common/sha256:{payload.digest}/sha256:{NO_METADATA}" for payload in existing(count))
    requests = [Request("GET", "/v2/blobs/get", f"key={key}", headers) for key in keys]
    send(worker, requests, b"X-Accel-Redirect: /lps-internal/objects/")


def health(worker: LoneWorker, count: int) -> None:
    send(worker, [Request("HEAD", "/v2/health/head")] * count)


def existing(count: int) -> list[Payload]:
    return list(itertools.islice(itertools.cycle(payloads()[:STORED]), count))


def send(worker: LoneWorker, requests: list[Request], expected: bytes = b"") -> None:
    for request, answer in zip(requests, worker.answers(requests), strict=True):
        if b"Status: 20" not in answer or expected not in answer:
            raise SystemExit(f"{request.method} {request.path}?{request.query}: {answer.decode(errors='replace')}")


REQUESTS = {"GET": get, "new PUT": put_new, "existing PUT": put_existing, "health": health}


def cost_tables(costs: dict[str, dict]) -> dict[str, str]:
    """The figures of each request, and how often it makes each system call."""
    rows = [[name, *(f"{found[figure]:,}" for figure in FIGURES)] for name, found in costs.items()]
    calls = sorted({call for found in costs.values() for call in found["calls"]})
    return {
        "costs": table(["", *FIGURES.values()], rows),
        "calls": table(
            ["", *costs],
            [[call, *(str(found["calls"].get(call, "")) for found in costs.values())] for call in calls],
        ),
    }


def is_above(value: float, other: float) -> bool:
    """Whether a figure is more than 10 %, and more than one, above another."""
    return value > max(1.1 * other, other + 1)


def check(costs: dict[str, dict], file: Path) -> bool:
    """Compares with the figures in a file, and prints what differs; false if a request costs more."""
    baseline = json.loads(file.read_text())
    more, less = [], []
    for name, figure in itertools.product(costs, FIGURES):
        value, before = costs[name][figure], baseline[name][figure]
        text = f"{name}: {value:,} {FIGURES[figure]}, {{}} the baseline of {before:,}"
        if figure == "system_calls":
            text += changed_calls(costs[name]["calls"], baseline[name]["calls"])
        if is_above(value, before):
            more.append("error: " + text.format("more than 10 % above"))
        elif is_above(before, value):
            less.append("hint: " + text.format("below"))
    if more or less:
        print("\n" + "\n".join(more + less))
        print("If these figures are right, run 'make costs' and commit the new baseline and tables, docs/performance*.")
    return not more


def changed_calls(calls: dict[str, float], before: dict[str, float]) -> str:
    counts = {name: (before.get(name, 0), calls.get(name, 0)) for name in sorted(before | calls)}
    return "".join(f"; {name} {old}, now {new}" for name, (old, new) in counts.items() if abs(new - old) > 0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, help="the JSON file to write; the tables go to the page next to it")
    parser.add_argument("--check", type=Path, metavar="BASELINE", help="fail if a figure is 10 %% above the one in this file")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="lps-costs-") as folder:
        counting = Counting(Path(folder), prepare=store)
        costs = {name: counting.costs(ask) for name, ask in REQUESTS.items()}
    options.results.parent.mkdir(exist_ok=True)
    options.results.write_text(json.dumps(costs, indent=1) + "\n")
    publish(cost_tables(costs), options.results.with_name("performance.md"))
    if options.check and not check(costs, options.check):
        sys.exit(1)


if __name__ == "__main__":
    main()

"""Compares the service with nginx's own upload and download of files, in turns, on one machine (`make bench`).

Ratios of one round are taken from runs right after each other; what is reported is their median. Results go to RESULTS,
a JSON file, which report.py makes tables and a picture of.
"""

import argparse
import hashlib
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from sides import NO_METADATA, Dav, Service, Side, dav, service

HERE = Path(__file__).parent
KIB, MIB = 1024, 1024 * 1024
SIZES = {"4 KiB": 4 * KIB, "128 KiB": 128 * KIB, "1 MiB": MIB, "16 MiB": 16 * MIB, "256 MiB": 256 * MIB}
TAIL = 16
# Bytes that one run may leave on the disk.
VOLUME = 4 << 30


@dataclass
class Payloads:
    """Many payloads of one size that differ in their last 16 bytes."""

    size: int
    file: Path

    def __post_init__(self) -> None:
        self._serial = 0
        base = random.Random(self.size).randbytes(self.size - TAIL)
        self.file.write_bytes(base)
        self._hash = hashlib.sha256(base)

    def next(self, count: int) -> list[tuple[str, str]]:
        """Tails and digests of payloads that nobody has seen."""
        payloads = []
        for _ in range(count):
            tail = f"{self._serial:0{TAIL}x}"
            self._serial += 1
            whole = self._hash.copy()
            whole.update(tail.encode())
            payloads.append((tail, whole.hexdigest()))
        return payloads


class Load:
    """Requests to one side, by wrk."""

    def __init__(self, folder: Path, seconds: float):
        self.folder = folder
        self.seconds = seconds

    def run(self, side: Side, lines: list[str], headers: list[str], body: Path, connections: int, tls: bool) -> dict:
        requests = self.folder / "requests"
        requests.write_text("\n".join(lines) + "\n")
        command = ["wrk", "-t1", f"-c{connections}", f"-d{self.seconds}s", "--timeout", "60s"]
        command += ["-s", HERE / "load.lua", side.url(tls), "--", requests, body, *headers]

        def result(output: str) -> dict:
            return json.loads(re.search("^RESULT (.*)$", output, re.MULTILINE)[1])

        return self._measure(side, command, result)

    def _measure(self, side: Side, command: list, result_of) -> dict:
        # What the run before has left to be written must not be paid by this one.
        os.sync()
        cpu, written = side.cpu_seconds(), side.written_bytes()
        output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        result = result_of(output)
        if result["failed"] or not result["requests"]:
            raise SystemExit(f"{side.name}: {' '.join(map(str, command))}\n{output}")
        result["rate"] = result["requests"] / result["seconds"]
        result["cpu"] = side.cpu_seconds() - cpu
        result["written"] = side.written_bytes() - written
        return result

    def put(self, side: Side, payloads: list, file: Path, connections: int, tls: bool) -> dict:
        lines = [f"PUT {side.put(*payload)} {payload[0]}" for payload in payloads]
        return self.run(side, lines, side.put_headers, file, connections, tls)

    def get(self, side: Side, payloads: list, size: int, file: Path, connections: int, tls: bool) -> dict:
        # In no order, and each again only when all were fetched.
        lines = [f"GET {side.get(*payload)}" for payload in random.sample(payloads, len(payloads))]
        enough = int(40_000 * self.seconds) // len(lines) + 1
        return self.run(side, lines * min(enough, 1000), side.get_headers(size), file, connections, tls)

    def health(self, side: Side, connections: int, tls: bool) -> dict:
        """With ab: wrk waits for the content that an answer to HEAD does not have."""
        command = ["ab", "-q", "-k", "-i", f"-c{connections}", f"-t{self.seconds}", "-n10000000"]
        command.append(side.url(tls) + side.health)

        def result(output: str) -> dict:
            def number(pattern: str) -> float:
                found = re.search(pattern + r":?\s+([0-9.]+)", output, re.MULTILINE)
                return float(found[1]) if found else 0

            return {
                "requests": int(number("^Complete requests")),
                "seconds": number("^Time taken for tests"),
                "failed": int(number("^Failed requests") + number("^Non-2xx responses")),
                "p50_ms": number("^ +50%"),
                "p99_ms": number("^ +99%"),
            }

        return self._measure(side, command, result)


def in_turns(rounds: int, sides: list[Side], run) -> dict[str, list[dict]]:
    """One run of each side a round, the order changing from round to round."""
    results: dict[str, list[dict]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            results[side.name].append(run(side))
    return results


def compare(results: dict[str, list[dict]], size: int) -> dict:
    pairs = list(zip(results["service"], results["dav"], strict=True))
    ratios = [ours["rate"] / theirs["rate"] for ours, theirs in pairs]
    row = {"ratio": statistics.median(ratios), "min": min(ratios), "max": max(ratios), "rounds": len(ratios)}
    per_request = [(o["cpu"] / o["requests"], t["cpu"] / t["requests"]) for o, t in pairs]
    row["cpu_ratio"] = statistics.median(ours / max(theirs, 1e-9) for ours, theirs in per_request)
    for index, side in enumerate(("service", "dav")):
        row[side] = {
            "rate": statistics.median(result["rate"] for result in results[side]),
            "p50_ms": statistics.median(result["p50_ms"] for result in results[side]),
            "p99_ms": statistics.median(result["p99_ms"] for result in results[side]),
            "cpu_us_per_request": 1e6 * statistics.median(cpu[index] for cpu in per_request),
        }
        if size:
            row[side]["mib_per_s"] = row[side]["rate"] * size / MIB
            row[side]["cpu_s_per_gib"] = row[side]["cpu_us_per_request"] / 1e6 * (1 << 30) / size
    return row


class Bench:
    def __init__(self, folder: Path, quick: bool, only: str | None):
        self.folder = folder
        self.quick = quick
        self.only = only
        self.rounds = 1 if quick else 5
        self.load = Load(folder, 1 if quick else 3)
        self.rows: list[dict] = []

    def say(self, text: str) -> None:
        print(text, flush=True)

    def payloads(self, size: int) -> Payloads:
        return Payloads(size, self.folder / f"payload-{size}")

    def wanted(self, name: str) -> bool:
        return self.only is None or re.search(self.only, name) is not None

    def case(self, operation: str, size_name: str, connections: int, tls: bool, sides: list[Side], run) -> None:
        results = in_turns(self.rounds, sides, run)
        size = SIZES.get(size_name, 0)
        row = {"operation": operation, "size": size_name, "connections": connections, "tls": tls}
        row |= compare(results, size)
        self.rows.append(row)
        self.say(
            f"{operation:12} {size_name:>8} {connections:3} {'TLS  ' if tls else 'plain'}"
            f"  ratio {row['ratio']:5.2f} ({row['min']:.2f} to {row['max']:.2f})  cpu {row['cpu_ratio']:5.2f}"
            f"  service {row['service']['rate']:8.1f}/s  dav {row['dav']['rate']:8.1f}/s"
        )

    def compare_sides(self, ours: Service, theirs: Dav) -> None:
        sides = [ours, theirs]
        sizes = ["128 KiB", "1 MiB"] if self.quick else list(SIZES)
        connections = [8] if self.quick else [1, 8, 32]
        for tls in (False,) if self.quick else (False, True):
            for count in connections:
                if self.wanted(f"health {count} {tls}"):
                    self.case("health", "", count, tls, sides, lambda side: self.load.health(side, count, tls))
            for size_name in sizes:
                size = SIZES[size_name]
                for count in connections:
                    if self.wanted(f"{size_name} {count} {tls}"):
                        self.payload_cases(sides, size_name, size, count, tls)

    def payload_cases(self, sides: list[Side], size_name: str, size: int, count: int, tls: bool) -> None:
        payloads = self.payloads(size)
        most = max(count, min(int(20_000 * self.load.seconds), VOLUME // size))
        stored: dict[str, list] = {side.name: [] for side in sides}

        def put_new(side: Side) -> dict:
            side.empty()
            new = payloads.next(most)
            result = self.load.put(side, new, payloads.file, count, tls)
            # wrk drops the requests that are under way when its time is up.
            stored[side.name] = [payload for payload in new if side.file(*payload).exists()]
            return result

        self.case("PUT new", size_name, count, tls, sides, put_new)
        self.case(
            "PUT existing", size_name, count, tls, sides,
            lambda side: self.load.put(
                side, stored[side.name] * (most // len(stored[side.name]) + 1), payloads.file, count, tls
            ),
        )
        self.case(
            "GET", size_name, count, tls, sides,
            lambda side: self.load.get(side, stored[side.name], size, payloads.file, count, tls),
        )
        for side in sides:
            side.empty()
        payloads.file.unlink()


    # What the service costs beside time.

    def resources(self, ours: Service) -> dict:
        payloads = self.payloads(MIB)
        count = 20 if self.quick else 200
        written = ours.written_bytes()
        put = self.load.put(ours, payloads.next(count), payloads.file, 1, False)
        os.sync()
        written_per_byte = (ours.written_bytes() - written) / (put["requests"] * MIB)
        trace = self.folder / "strace"
        command = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,syncfs,sync_file_range,msync", "-o", trace]
        for pid in ours.processes("lps-worker"):
            command += ["-p", str(pid)]
        tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        time.sleep(1)
        # To shards that are there: folders are made and synced once.
        traced = self.load.put(ours, payloads.next(count), payloads.file, 1, False)
        tracer.terminate()
        tracer.wait()
        calls = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*(?:sync)\S*$", trace.read_text(), re.MULTILINE)
        ours.empty()
        payloads.file.unlink()
        return {
            "written_per_byte": written_per_byte,
            "syncs_per_put": sum(map(int, calls)) / traced["requests"],
        }

    def rates(self, ours: Service, size: int, connections: int) -> tuple[float, float]:
        """Medians of new uploads and downloads a second."""
        puts, gets = [], []
        payloads = self.payloads(size)
        for _ in range(self.rounds):
            new = payloads.next(int(20_000 * self.load.seconds))
            puts.append(self.load.put(ours, new, payloads.file, connections, False)["rate"])
            stored = [payload for payload in new if ours.file(*payload).exists()]
            gets.append(self.load.get(ours, stored, size, payloads.file, connections, False)["rate"])
            for payload in stored:
                ours.file(*payload).unlink()
                (ours.folder / f"store/objects/{payload[1][:2]}/{payload[1]}").unlink()
        payloads.file.unlink()
        return statistics.median(puts), statistics.median(gets)

    def scale_workers(self) -> list[dict]:
        rows = []
        for count in (1, 2, 4):
            with service(self.folder / f"workers-{count}", count) as ours:
                put, get = self.rates(ours, 128 * KIB, 8)
            rows.append({"workers": count, "put": put, "get": get})
            self.say(f"{count} workers: PUT {put:.0f}/s, GET {get:.0f}/s")
        return rows

    def scale_objects(self) -> list[dict]:
        rows = []
        filled = 0
        folder = self.folder / "objects"
        for count in (1_000, 10_000) if self.quick else (1_000, 100_000, 1_000_000):
            with service(folder, os.cpu_count()) as ours:
                fill(folder / "store", filled, count)
                filled = count
            os.sync()
            start_ms = start_time(folder / "store", self.folder)
            with service(folder, os.cpu_count()) as ours:
                put, get = self.rates(ours, 4 * KIB, 8)
            rows.append({"objects": count, "put": put, "get": get, "start_ms": start_ms})
            self.say(f"{count} payloads: PUT {put:.0f}/s, GET {get:.0f}/s, start {start_ms:.0f} ms")
        return rows


def fill(store: Path, start: int, end: int) -> None:
    """Gives the store payloads of 64 bytes, as docs/on-disk-format.md describes it, without the syncs of a real one."""
    for shard in range(256):
        for parent in (store / "objects", store / "keys/bench/common"):
            (parent / f"{shard:02x}").mkdir(parents=True, exist_ok=True)
    for number in range(start, end):
        content = f"payload {number:056d}".encode()
        digest = hashlib.sha256(content).hexdigest()
        target = f"{store}/objects/{digest[:2]}/{digest}"
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, 0o440)
        os.write(descriptor, content)
        os.close(descriptor)
        os.link(target, f"{store}/keys/bench/common/{digest[:2]}/{digest}.{NO_METADATA}")


def start_time(store: Path, folder: Path) -> float:
    """Milliseconds from the start of a worker to its readiness."""
    start = time.monotonic()
    command = [Path(os.environ["LPS_BIN_DIR"]) / "lps-worker", "--store", store, "--listen", folder / "start.sock"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    for line in process.stderr:
        if "msg=serving" in line:
            break
    took = time.monotonic() - start
    process.terminate()
    process.wait()
    return took * 1000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--quick", action="store_true", help="a few cases, one round each")
    parser.add_argument("--only", help="a pattern of comparisons, as '1 MiB 8 False', and nothing else")
    options = parser.parse_args()
    results: dict = {"machine": {"cpus": os.cpu_count()}}
    with tempfile.TemporaryDirectory(prefix="lps-bench-", dir=os.environ.get("BENCH_DIR")) as name:
        folder = Path(name)
        bench = Bench(folder, options.quick, options.only)
        start = time.monotonic()
        with service(folder / "service", os.cpu_count()) as ours, dav(folder / "dav", folder / "service/tls") as theirs:
            idle_memory = ours.peak_memory()
            bench.compare_sides(ours, theirs)
            results["peak_memory"] = ours.peak_memory()
            if not options.only:
                results["resources"] = bench.resources(ours) | {"idle_memory": idle_memory}
        if not options.only:
            results["workers"] = bench.scale_workers()
            results["objects"] = bench.scale_objects()
        results["rows"] = bench.rows
        results["seconds"] = round(time.monotonic() - start)
    options.results.parent.mkdir(exist_ok=True)
    options.results.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())

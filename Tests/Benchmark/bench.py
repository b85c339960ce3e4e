"""Compares the service with nginx's own upload and download of files, alternately, on one machine (`make bench`).

Each round gives the ratio of two consecutive runs; the median of the rounds is reported. The results are written to the JSON
file RESULTS, from which report.py makes tables and a plot.
"""

import argparse
import contextlib
import hashlib
import json
import os
import random
import re
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sides import NO_METADATA, Service, Side, dav, service

HERE = Path(__file__).parent
KIB, MIB = 1024, 1024 * 1024
SIZES = ["4 KiB", "128 KiB", "1 MiB", "16 MiB", "256 MiB"]
TAIL = 16
# From this size on, a run has a fixed number of requests, not a fixed duration.
LARGE = 16 * MIB
# The duration of a run with smaller ones.
SECONDS = 1
# The processor times of a program, by how the names of their figures begin: of its own code, of the kernel, and of both.
CPU_KINDS = {"user_": lambda cpu: cpu.user, "kernel_": lambda cpu: cpu.kernel, "": lambda cpu: cpu.seconds}


def size_of(name: str) -> int:
    number, unit = name.split()
    return int(number) * {"KiB": KIB, "MiB": MIB}[unit]


def say(text: str) -> None:
    print(text, flush=True)


@dataclass
class Payloads:
    """Payloads of one size that differ in their last 16 bytes."""

    size: int
    file: Path

    def __post_init__(self) -> None:
        # Unique across all sizes.
        self._serial = self.size << 32
        base = random.Random(self.size).randbytes(self.size - TAIL)
        self.file.write_bytes(base)
        self._hash = hashlib.sha256(base)

    def next(self, count: int) -> list[tuple[str, str]]:
        """Tails and digests of new payloads."""
        payloads = []
        for _ in range(count):
            tail = f"{self._serial:0{TAIL}x}"
            self._serial += 1
            whole = self._hash.copy()
            whole.update(tail.encode())
            payloads.append((tail, whole.hexdigest()))
        return payloads


def wrk(
    case: "Case", side: Side, url: str, lines: list[str], headers: list[str], *, seconds: int = 0, count: int = 0
) -> dict:
    """Sends requests for `seconds`, or `count` of them, and waits until all are answered."""
    requests = case.bench.folder / "requests"
    requests.write_text("\n".join(lines[:1] + lines) + "\n")
    command = ["wrk", "-t1", f"-c{case.connections}", f"-d{seconds or 600}s", "--timeout", "600s"]
    command += ["-s", HERE / "load.lua", url, "--", requests, case.payloads.file, str(count), *headers]
    return measure(side, command, lambda output: json.loads(re.search("^RESULT (.*)$", output, re.MULTILINE)[1]))


def ab(case: "Case", side: Side) -> dict:
    """Asks for health. With ab: wrk waits for the content that an answer to HEAD does not have."""
    command = ["ab", "-q", "-k", "-i", f"-c{case.connections}", f"-t{SECONDS}", "-n10000000"]

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

    return measure(side, [*command, side.url(case.tls) + side.health], result)


def measure(side: Side, command: list, result_of: Callable[[str], dict]) -> dict:
    # Data that the previous run left unwritten must not count for this one.
    os.sync()
    names = ("", *side.programs)
    before, written = {name: side.cpu(name) for name in names}, side.written_bytes()
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    result = result_of(output)
    if result["failed"] or not result["requests"]:
        raise SystemExit(f"{side.name}: {' '.join(map(str, command))}\n{output}")
    result["programs"] = {name: side.cpu(name) - before[name] for name in names}
    result["cpu"] = result["programs"].pop("").seconds
    result["rate"] = result["requests"] / result["seconds"]
    # Wait for data of answered uploads that is still in memory.
    start = time.monotonic()
    os.sync()
    result["rate_on_disk"] = result["requests"] / (result["seconds"] + time.monotonic() - start)
    result["written"] = side.written_bytes() - written
    return result


def in_turns(rounds: int, sides: list[Side], run) -> dict[str, list[dict]]:
    """Runs each side once per round, in alternating order."""
    results: dict[str, list[dict]] = {side.name: [] for side in sides}
    for number in range(rounds):
        for side in sides if number % 2 == 0 else reversed(sides):
            results[side.name].append(run(side))
    return results


def compare(results: dict[str, list[dict]], size: int) -> dict:
    pairs = list(zip(*results.values(), strict=True))
    ratios = [ours["rate"] / theirs["rate"] for ours, theirs in pairs]
    row = {"ratio": statistics.median(ratios), "min": min(ratios), "max": max(ratios), "rounds": len(ratios)}
    row["ratio_on_disk"] = statistics.median(ours["rate_on_disk"] / theirs["rate_on_disk"] for ours, theirs in pairs)
    per_request = [(o["cpu"] / o["requests"], t["cpu"] / t["requests"]) for o, t in pairs]
    row["cpu_ratio"] = statistics.median(ours / max(theirs, 1e-9) for ours, theirs in per_request)
    for index, (side, found) in enumerate(results.items()):
        row[side] = {
            "rate": statistics.median(result["rate"] for result in found),
            "p50_ms": statistics.median(result["p50_ms"] for result in found),
            "p99_ms": statistics.median(result["p99_ms"] for result in found),
            "cpu_us_per_request": 1e6 * statistics.median(cpu[index] for cpu in per_request),
        }
        for program in found[0]["programs"]:
            for kind, of in CPU_KINDS.items():
                each = [of(result["programs"][program]) / result["requests"] for result in found]
                row[side][f"{program}_{kind}us_per_request"] = 1e6 * statistics.median(each)
        if size:
            row[side]["mib_per_s"] = row[side]["rate"] * size / MIB
            row[side]["cpu_s_per_gib"] = row[side]["cpu_us_per_request"] / 1e6 * (1 << 30) / size
    return row


def stored(side: Side, payloads: list) -> list:
    """The payloads that were stored: wrk drops the requests in progress when its time is up."""
    return [payload for payload in payloads if side.file(*payload).exists()]


class Bench:
    """A benchmark: its folder, its options and the results so far."""

    def __init__(self, folder: Path, quick: bool, only: str | None = None):
        self.folder, self.quick, self.only = folder, quick, only
        self.rows: list[dict] = []
        self.sources: dict[int, Payloads] = {}

    def rounds(self, size: int = 0, connections: int = 1) -> int:
        """The number of rounds: fewer if a round takes minutes."""
        if self.quick:
            return 1
        return 5 if size <= LARGE else 3 if connections <= 8 else 1

    def payloads(self, size: int) -> Payloads:
        if size not in self.sources:
            self.sources[size] = Payloads(size, self.folder / f"payload-{size}")
        return self.sources[size]

    def compare_sides(self, ours: Service, theirs: Side) -> None:
        sides = [ours, theirs]
        connections = [8] if self.quick else [1, 8, 32]
        sizes = [name for name in SIZES if not self.quick or name in ("128 KiB", "1 MiB")]
        for tls in (False,) if self.quick else (False, True):
            for number in connections:
                Case(self, "", number, tls).health(sides)
            # To create a file, ext4 checks every inode deleted in the last minute (recently_deleted). So the cases that delete
            # many files run last: an upload of an existing payload creates and deletes a file.
            cases = [Case(self, name, number, tls) for name in sizes for number in connections]
            small = [case for case in cases if case.size < LARGE]
            for case in small:
                case.put_new(sides)
                case.get(sides)
            for case in small:
                case.put_existing(sides)
            for side in sides:
                side.empty()
            for case in cases[len(small) :]:
                case.put_new(sides)
                case.get(sides)
                case.put_existing(sides)
                for side in sides:
                    side.empty()


class Case:
    """One size of payload with one number of connections."""

    def __init__(self, bench: Bench, name: str, connections: int, tls: bool = False):
        self.bench, self.name, self.connections, self.tls = bench, name, connections, tls
        # Health has no size.
        self.size = size_of(name) if name else 0
        self.stored: dict[str, list] = {}

    @property
    def payloads(self) -> Payloads:
        return self.bench.payloads(self.size)

    def compare(self, operation: str, sides: list[Side], run: Callable[[Side], dict]) -> None:
        if self.bench.only and not re.search(self.bench.only, f"{operation} {self.name} {self.connections} {self.tls}"):
            return
        row = {"operation": operation, "size": self.name, "connections": self.connections, "tls": self.tls}
        row |= compare(in_turns(self.bench.rounds(self.size, self.connections), sides, run), self.size)
        self.bench.rows.append(row)
        say(
            f"{operation:12} {self.name:>8} {self.connections:3} {'TLS  ' if self.tls else 'plain'}"
            f"  ratio {row['ratio']:5.2f} ({row['min']:.2f} to {row['max']:.2f})  cpu {row['cpu_ratio']:5.2f}"
            + "".join(f"  {side.name} {row[side.name]['rate']:8.1f}/s" for side in sides)
        )

    def health(self, sides: list[Side]) -> None:
        self.compare("health", sides, lambda side: ab(self, side))

    def put_new(self, sides: list[Side]) -> None:
        # Small ones: more than can be sent in the time. Large ones: 512 MiB, or one per connection.
        most = 10_000 if self.size < LARGE else max(self.connections, (512 * MIB) // self.size)

        def put(side: Side) -> dict:
            if self.size > LARGE:
                side.empty()
            new = self.payloads.next(most)
            result = self.put(side, new)
            self.stored[side.name] = stored(side, new)
            return result

        self.compare("PUT new", sides, put)

    def put_existing(self, sides: list[Side]) -> None:
        def put(side: Side) -> dict:
            stored = self.stored[side.name]
            return self.put(side, stored if self.size >= LARGE else stored * (20_000 // len(stored) + 1))

        self.compare("PUT existing", sides, put)

    def get(self, sides: list[Side]) -> None:
        self.compare("GET", sides, lambda side: self.fetch(side, self.stored[side.name]))

    def put(self, side: Side, payloads: list, *, all_of_them: bool = False) -> dict:
        lines = [f"PUT {side.put(*payload)} {payload[0]}" for payload in payloads]
        # Few large payloads are sent per second, so those in progress at the end of a fixed duration would distort the rate.
        how = {"count": len(lines)} if all_of_them or self.size >= LARGE else {"seconds": SECONDS}
        with side.upload_url(self.tls) as url:
            return wrk(self, side, url, lines, side.put_headers, **how)

    def fetch(self, side: Side, payloads: list, *, once: bool = False, size: int = 0) -> dict:
        """Downloads payloads of `size`, by default the case's, in random order: all of them repeatedly, or each once."""
        size = size or self.size
        lines = [f"GET {side.get(*payload)}" for payload in random.sample(payloads, len(payloads))]
        seconds = SECONDS if size < LARGE else 2 * SECONDS + self.connections * size // (1 << 30)
        if once:
            seconds = 0
        else:
            lines *= min(40_000 * SECONDS // len(lines) + 1, 1000)
        result = wrk(self, side, side.url(self.tls), lines, side.get_headers(size), seconds=seconds)
        if size >= LARGE:
            # Count the downloads that were in progress at the end.
            result["rate"] = result["bytes"] / size / result["seconds"]
            result["requests"] = result["bytes"] / size
        return result


def resources(bench: Bench, ours: Service) -> dict:
    """Bytes written and syncs per upload, for new payloads of 1 MiB, one at a time."""
    case = Case(bench, "1 MiB", 1)
    put = case.put(ours, case.payloads.next(2_000))
    trace = bench.folder / "strace"
    command = ["strace", "-f", "-c", "-e", "trace=fsync,fdatasync,syncfs", "-o", trace]
    for pid in ours.processes("lps-worker"):
        command += ["-p", str(pid)]
    tracer = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    time.sleep(1)
    # To existing shards: their folders are created and synced only once.
    traced = case.put(ours, case.payloads.next(2_000))
    tracer.terminate()
    tracer.wait()
    calls = re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s.*sync\S*$", trace.read_text(), re.MULTILINE)
    ours.empty()
    return {
        "written_per_byte": put["written"] / (put["requests"] * MIB),
        "syncs_per_put": sum(map(int, calls)) / traced["requests"],
    }


def scale_workers(bench: Bench) -> list[dict]:
    with contextlib.ExitStack() as running:
        sides = []
        for count in (1, 2, 4):
            sides.append(running.enter_context(service(bench.folder / f"workers-{count}", count)))
            sides[-1].name = str(count)
        return scale(bench, sides, put_and_get(Case(bench, "128 KiB", 8), {}))


def scale_objects(bench: Bench) -> list[dict]:
    counts = (1_000, 10_000) if bench.quick else (1_000, 100_000, 1_000_000)
    with contextlib.ExitStack() as running:
        sides, starts = [], []
        for count in counts:
            folder = bench.folder / f"objects-{count}"
            with service(folder, os.cpu_count()):
                fill(folder / "store", count)
            os.sync()
            starts.append(start_time(folder / "store", bench.folder))
            sides.append(running.enter_context(service(folder, os.cpu_count())))
            sides[-1].name = str(count)
        filled = {
            str(count): [("", filling(number)[1]) for number in random.sample(range(count), min(count, 20_000))]
            for count in counts
        }
        rows = scale(bench, sides, put_and_get(Case(bench, "4 KiB", 8), filled, FILLING))
        return [row | {"start_ms": start} for row, start in zip(rows, starts, strict=True)]


def put_and_get(case: Case, fetched: dict[str, list], size: int = 0) -> dict[str, Callable]:
    """Operations for `scale`: uploads of new payloads, and downloads of the payloads in `fetched`, which have `size` bytes.

    A side without payloads in `fetched` downloads its own uploads."""

    def put(side: Service) -> dict:
        new = case.payloads.next(10_000)
        result = case.put(side, new)
        fetched.setdefault(side.name, stored(side, new))
        return result

    return {"put": put, "get": lambda side: case.fetch(side, fetched[side.name], size=size)}


def scale(bench: Bench, sides: list[Service], operations: dict[str, Callable[[Service], dict]]) -> list[dict]:
    """The rate of each operation on each side, and its ratio to the first side's rate in the same round."""
    rows: list[dict] = [{"name": side.name} for side in sides]
    for operation, run in operations.items():
        results = in_turns(bench.rounds(), sides, run)
        rates = {name: [result["rate"] for result in side] for name, side in results.items()}
        for row in rows:
            pairs = zip(rates[row["name"]], rates[sides[0].name], strict=True)
            row[operation] = statistics.median(rates[row["name"]])
            row[operation + "_ratio"] = statistics.median(rate / first for rate, first in pairs)
    for row in rows:
        say(f"{row['name']}: " + ", ".join(f"{operation} {row[operation]:.0f}/s" for operation in operations))
    return rows


# The size in bytes of the payloads that fill a store.
FILLING = 64


def filling(number: int) -> tuple[bytes, str]:
    content = f"payload {number:0{FILLING - 8}d}".encode()
    return content, hashlib.sha256(content).hexdigest()


def fill(store: Path, count: int) -> None:
    """Fills the store as docs/on-disk-format.md describes, without a worker's syncs."""
    for shard in range(256):
        for parent in (store / "objects", store / "keys/bench/common"):
            (parent / f"{shard:02x}").mkdir(parents=True, exist_ok=True)
    for number in range(count):
        content, digest = filling(number)
        target = f"{store}/objects/{digest[:2]}/{digest}"
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT, 0o440)
        os.write(descriptor, content)
        os.close(descriptor)
        key = f"{store}/keys/bench/common/{digest[:2]}/{digest}.{NO_METADATA}"
        os.close(os.open(key, os.O_WRONLY | os.O_CREAT, 0o440))


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


@contextlib.contextmanager
def results_of(file: Path, machine: dict) -> Iterator[tuple[dict, Callable[[], None]]]:
    """The results, and a function that writes them to the file, which is also written at the end."""
    file.parent.mkdir(exist_ok=True)
    results: dict = {"machine": {"cpus": os.cpu_count(), **machine}}
    start = time.monotonic()

    def save() -> None:
        results["seconds"] = round(time.monotonic() - start)
        file.write_text(json.dumps(results, indent=1) + "\n")

    # Also after a failure: each row took a while.
    try:
        yield results, save
    finally:
        save()


def temporary_folder() -> tempfile.TemporaryDirectory:
    return tempfile.TemporaryDirectory(prefix="lps-bench-", dir=os.environ.get("BENCH_DIR"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--quick", action="store_true", help="a few cases, one round each")
    parser.add_argument("--only", help="run only comparisons that match this pattern, such as '1 MiB 8 False'")
    parser.add_argument(
        "--against", type=Path, metavar="CHECKOUT",
        help="compare with the service of another checkout ('make build' there) instead of nginx's own; needs --only",
    )
    options = parser.parse_args()
    with temporary_folder() as name, results_of(options.results, {}) as (results, save):
        folder = Path(name)
        bench = Bench(folder, options.quick, options.only)
        results["rows"] = bench.rows

        def other() -> contextlib.AbstractContextManager[Side]:
            if options.against:
                return service(folder / "other", os.cpu_count(), options.against.resolve())
            return dav(folder / "dav", folder / "service/tls")

        with service(folder / "service", os.cpu_count()) as ours, other() as theirs:
            if options.against:
                theirs.name = "other"
            idle_memory = ours.peak_memory()
            bench.compare_sides(ours, theirs)
            results["peak_memory"] = ours.peak_memory()
            save()
            if options.only:
                return
            results["resources"] = resources(bench, ours) | {"idle_memory": idle_memory}
        results["workers"] = scale_workers(bench)
        save()
        results["objects"] = scale_objects(bench)


if __name__ == "__main__":
    main()

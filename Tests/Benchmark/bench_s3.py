"""Compares the service on an S3 engine with the engine itself and with files that nginx serves (`make bench STORE=s3`).

In turns, on one machine, with the cases and measures of bench.py. Results go to RESULTS, a JSON file, which report.py
makes tables and a picture of.
"""

import argparse
import contextlib
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench import KIB, LARGE, MIB, Bench, Case, in_turns, scale
from sides import Engine, ServiceOnEngine, Side, dav, service_on_engine

SIZES = {"128 KiB": 128 * KIB, "1 MiB": MIB, "16 MiB": 16 * MIB, "64 MiB": 64 * MIB}
RANGE = MIB


class EngineBench(Bench):
    def rounds(self, size: int = 0, connections: int = 1) -> int:
        return 1 if self.quick else 3


class EngineCase(Case):
    """One size of payloads over a number of connections, without TLS."""

    def __init__(self, bench: Bench, name: str, size: int, connections: int):
        super().__init__(bench, name, size, connections, False)
        self.count = count(bench, size, connections)
        # What each side has stored, a set for each round.
        self.sets: dict[str, list[list]] = {}
        self.cached: list = []

    def put_new(self, ours: ServiceOnEngine, engine: Engine) -> None:
        def put(side: Side) -> dict:
            new = self.payloads.next(self.count)
            self.sets.setdefault(side.name, []).append(new)
            return put_all(self.bench, side, self.payloads, new, self.connections)

        self.run("PUT new", [ours, engine], put)

    def get_cold(self, ours: ServiceOnEngine, engine: Engine) -> None:
        # The service reads what the engine was given directly: no worker knows anything of it.
        unread = {ours.name: self.sets[engine.name], engine.name: self.sets[ours.name]}
        self.cached = unread[ours.name][0]

        def get(side: Side) -> dict:
            return self.bench.load.get(side, unread[side.name].pop(), *self.how, once=True)

        ours.cache_results()
        self.run("GET cold", [ours, engine], get)
        expect(ours, {"MISS"})

    def get_warm(self, ours: ServiceOnEngine, file: Side) -> None:
        put_all(self.bench, file, self.payloads, self.cached, self.connections)
        # Until nginx has finished what clients have left, and each worker knows each payload's size.
        for _ in range(2):
            self.get_cached(ours)
        ours.cache_results()
        self.run("GET warm", [ours, file], self.get_cached)
        expect(ours, {"HIT"})

    def get_cached(self, side: Side) -> dict:
        return self.bench.load.get(side, self.cached, *self.how)


def count(bench: Bench, size: int, connections: int) -> int:
    """Payloads of a run: 256 MiB, with QUICK=1 half of it, or two a connection."""
    return max((128 if bench.quick else 256) * MIB // size, 2 * connections)


def put_all(bench: Bench, side: Side, source, payloads: list, connections: int) -> dict:
    return bench.load.put(side, payloads, source.size, source.file, connections, False, all_of_them=True)


def expect(ours: ServiceOnEngine, results: set[str]) -> None:
    found = ours.cache_results()
    if found != results:
        raise SystemExit(f"the cache was to have {results} alone, and had {found}: nothing was measured")


def compare(bench: Bench, weed: Path, sizes: list[str], results: dict, save: Callable[[], None]) -> None:
    """Each size with an engine and a cache that are empty."""
    for name in sizes:
        size = SIZES[name]
        folder = bench.folder / f"{size}"
        with contextlib.ExitStack() as running:
            ours, engine = running.enter_context(service_on_engine(folder, os.cpu_count(), weed))
            file = running.enter_context(dav(folder / "dav", folder / "tls"))
            file.name = "file"
            idle = ours.peak_memory()
            connections = [8] if bench.quick else [1, 8, 32] if size < LARGE else [1, 8]
            if "memory" not in results:
                results["memory"] = {"idle": idle, "peak": 0}
                for number in connections:
                    health(bench, ours, engine, number)
            for number in connections:
                case = EngineCase(bench, name, size, number)
                case.put_new(ours, engine)
                case.get_cold(ours, engine)
                case.get_warm(ours, file)
            if size == max(SIZES.values()):
                results["ranges"] = ranges(bench, name, size, ours, engine)
            results["memory"]["peak"] = max(results["memory"]["peak"], ours.peak_memory())
        save()
        shutil.rmtree(folder)


def health(bench: Bench, ours: ServiceOnEngine, engine: Engine, connections: int) -> None:
    sides = [ours, engine]
    bench.case("health", "", 0, connections, False, sides, lambda side: bench.load.health(side, connections, False))


def ranges(bench: Bench, name: str, size: int, ours: ServiceOnEngine, engine: Engine) -> dict:
    """Milliseconds for a range of a large payload that is not in the cache, and for the whole of it; one at a time."""
    payloads = bench.payloads(size)
    middle = f"Range: bytes={size // 2}-{size // 2 + RANGE - 1}"
    figures: dict[str, list[float]] = {}

    def read(side: Side) -> dict:
        new = payloads.next(4)
        put_all(bench, engine, payloads, new, 4)
        lines = [f"GET {side.get(*payload)}" for payload in new]
        for part, headers in (("range", [middle]), ("whole", [])):
            headers = side.get_headers(size) + headers
            # Ranges first: if they left anything in the cache, the whole ones would show it.
            result = bench.load.run(side, side.url(False), lines, headers, payloads.file, 1)
            answered = RANGE if part == "range" else size
            found = result["bytes"] / result["requests"]
            if not answered <= found < answered + 4096:
                raise SystemExit(f"{side.name}: {found} bytes for a {part} of {answered}")
            figures.setdefault(f"{side.name}_{part}_ms", []).append(result["p50_ms"])
        return result

    ours.cache_results()
    in_turns(bench.rounds(), [ours, engine], read)
    expect(ours, {"MISS"})
    row = {figure: statistics.median(found) for figure, found in figures.items()}
    bench.say(f"range of {name}: " + ", ".join(f"{figure} {found:.1f}" for figure, found in row.items()))
    return row | {"size": name, "range": "1 MiB"}


def scale_workers(bench: Bench, weed: Path) -> list[dict]:
    """Uploads and downloads of 128 KiB over 8 connections, by one worker process and by more."""
    payloads = bench.payloads(128 * KIB)
    number = count(bench, payloads.size, 8)
    how = (payloads.size, payloads.file, 8, False)
    cached: dict[str, list] = {}
    with contextlib.ExitStack() as running:
        engines: dict[str, Engine] = {}
        sides = []
        for workers in (1, 2):
            folder = bench.folder / f"workers-{workers}"
            side, engine = running.enter_context(service_on_engine(folder, workers, weed))
            side.name = str(workers)
            sides.append(side)
            engines[side.name] = engine

        def get_cold(side: ServiceOnEngine) -> dict:
            cached[side.name] = payloads.next(number)
            put_all(bench, engines[side.name], payloads, cached[side.name], 8)
            return bench.load.get(side, cached[side.name], *how, once=True)

        def get_warm(side: ServiceOnEngine) -> dict:
            bench.load.get(side, cached[side.name], *how)
            return bench.load.get(side, cached[side.name], *how)

        return scale(
            bench, sides,
            {
                "put": lambda side: put_all(bench, side, payloads, payloads.next(number), 8),
                "cold": get_cold,
                "warm": get_warm,
            },
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--weed", type=Path, required=True, help="the engine: SeaweedFS")
    parser.add_argument("--quick", action="store_true", help="8 connections, one round")
    parser.add_argument("--size", choices=SIZES, action="append", help="this size alone; may be given again")
    options = parser.parse_args()
    options.results.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="lps-bench-", dir=os.environ.get("BENCH_DIR")) as name:
        bench = EngineBench(Path(name), options.quick, None)
        # What else the machine does, in the five minutes before.
        results: dict = {"machine": {"cpus": os.cpu_count(), "load": os.getloadavg()[1]}, "rows": bench.rows}
        start = time.monotonic()

        def save() -> None:
            results["seconds"] = round(time.monotonic() - start)
            options.results.write_text(json.dumps(results, indent=1) + "\n")

        compare(bench, options.weed.resolve(), options.size or list(SIZES), results, save)
        if not options.size:
            results["workers"] = scale_workers(bench, options.weed.resolve())
        save()


if __name__ == "__main__":
    sys.exit(main())

"""Compares the service on an S3 engine with the engine itself and with files that nginx serves (`make bench STORE=s3`).

The sides run alternately on one machine, with the cases and measurements of bench.py. The results are written to the JSON
file RESULTS, from which report.py makes tables and a plot.
"""

import argparse
import contextlib
import os
import shutil
import statistics
from collections.abc import Callable
from pathlib import Path

from bench import LARGE, MIB, Bench, Case, in_turns, results_of, say, scale, size_of, temporary_folder, wrk
from sides import Engine, ServiceOnEngine, Side, dav, service_on_engine

SIZES = ["128 KiB", "1 MiB", "16 MiB", "64 MiB"]
RANGE = MIB


class EngineBench(Bench):
    def rounds(self, size: int = 0, connections: int = 1) -> int:
        return 1 if self.quick else 3


class EngineCase(Case):
    """One size of payload with one number of connections, without TLS."""

    def __init__(self, bench: Bench, name: str, connections: int):
        super().__init__(bench, name, connections)
        # The payloads that each side has stored, one set per round.
        self.sets: dict[str, list[list]] = {}
        self.cached: list = []

    def new(self) -> list:
        """Payloads for a run: 256 MiB, with QUICK=1 half of it, or two a connection."""
        return self.payloads.next(max((128 if self.bench.quick else 256) * MIB // self.size, 2 * self.connections))

    def put_all(self, side: Side, payloads: list) -> dict:
        return self.put(side, payloads, all_of_them=True)

    def put_new(self, ours: ServiceOnEngine, engine: Engine) -> None:
        def put(side: Side) -> dict:
            self.sets.setdefault(side.name, []).append(self.new())
            return self.put_all(side, self.sets[side.name][-1])

        self.compare("PUT new", [ours, engine], put)

    def get_cold(self, ours: ServiceOnEngine, engine: Engine) -> None:
        # The service reads payloads that were uploaded to the engine directly, so no worker knows them.
        unread = {ours.name: self.sets[engine.name], engine.name: self.sets[ours.name]}
        self.cached = unread[ours.name][0]
        ours.cache_results()
        self.compare("GET cold", [ours, engine], lambda side: self.fetch(side, unread[side.name].pop(), once=True))
        expect(ours, {"MISS"})

    def get_warm(self, ours: ServiceOnEngine, file: Side) -> None:
        self.put_all(file, self.cached)
        # Twice, so that nginx completes the fetches that clients abandoned, and each worker knows each payload's size.
        for _ in range(2):
            self.fetch(ours, self.cached)
        ours.cache_results()
        self.compare("GET warm", [ours, file], lambda side: self.fetch(side, self.cached))
        expect(ours, {"HIT"})


def expect(ours: ServiceOnEngine, results: set[str]) -> None:
    found = ours.cache_results()
    if found != results:
        raise SystemExit(f"the cache results are {found}, expected only {results}: nothing was measured")


def compare(bench: Bench, weed: Path, names: list[str], results: dict, save: Callable[[], None]) -> None:
    """Compares each size, starting with an empty engine and an empty cache."""
    for name in names:
        size = size_of(name)
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
                    Case(bench, "", number).health([ours, engine])
            for number in connections:
                case = EngineCase(bench, name, number)
                case.put_new(ours, engine)
                case.get_cold(ours, engine)
                case.get_warm(ours, file)
            if name == SIZES[-1]:
                results["ranges"] = ranges(bench, name, ours, engine)
            results["memory"]["peak"] = max(results["memory"]["peak"], ours.peak_memory())
        save()
        shutil.rmtree(folder)


def ranges(bench: Bench, name: str, ours: ServiceOnEngine, engine: Engine) -> dict:
    """Milliseconds to read a range of a large payload that is not cached, and to read all of it, one request at a time."""
    case, size = EngineCase(bench, name, 1), size_of(name)
    middle = f"Range: bytes={size // 2}-{size // 2 + RANGE - 1}"
    figures: dict[str, list[float]] = {}

    def read(side: Side) -> dict:
        new = case.payloads.next(4)
        case.put_all(engine, new)
        lines = [f"GET {side.get(*payload)}" for payload in new]
        # Ranges first: if they left anything in the cache, the whole downloads would show it.
        for part, headers, answered in (("range", [middle], RANGE), ("whole", [], size)):
            result = wrk(case, side, side.url(False), lines, side.get_headers(size) + headers)
            found = result["bytes"] / result["requests"]
            if not answered <= found < answered + 4096:
                raise SystemExit(f"{side.name}: {found} bytes for a {part} of {answered}")
            figures.setdefault(f"{side.name}_{part}_ms", []).append(result["p50_ms"])
        return result

    ours.cache_results()
    in_turns(bench.rounds(), [ours, engine], read)
    expect(ours, {"MISS"})
    row = {figure: statistics.median(found) for figure, found in figures.items()}
    say(f"range of {name}: " + ", ".join(f"{figure} {found:.1f}" for figure, found in row.items()))
    return row | {"size": name, "range": "1 MiB"}


def scale_workers(bench: Bench, weed: Path) -> list[dict]:
    """Uploads and downloads of 128 KiB over 8 connections, with one worker process and with two."""
    case = EngineCase(bench, "128 KiB", 8)
    cached: dict[str, list] = {}
    with contextlib.ExitStack() as running:
        engines: dict[str, Engine] = {}
        sides = []
        for workers in (1, 2):
            side, engine = running.enter_context(service_on_engine(bench.folder / f"workers-{workers}", workers, weed))
            side.name = str(workers)
            sides.append(side)
            engines[side.name] = engine

        def get_cold(side: ServiceOnEngine) -> dict:
            cached[side.name] = case.new()
            case.put_all(engines[side.name], cached[side.name])
            return case.fetch(side, cached[side.name], once=True)

        def get_warm(side: ServiceOnEngine) -> dict:
            case.fetch(side, cached[side.name])
            return case.fetch(side, cached[side.name])

        put = {"put": lambda side: case.put_all(side, case.new())}
        return scale(bench, sides, put | {"cold": get_cold, "warm": get_warm})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--weed", type=Path, required=True, help="the engine: SeaweedFS")
    parser.add_argument("--quick", action="store_true", help="8 connections, one round")
    parser.add_argument("--size", choices=SIZES, action="append", help="run only this size; can be repeated")
    options = parser.parse_args()
    # The machine's load in the last five minutes.
    machine = {"load": os.getloadavg()[1]}
    with temporary_folder() as name, results_of(options.results, machine) as (results, save):
        bench = EngineBench(Path(name), options.quick)
        results["rows"] = bench.rows
        compare(bench, options.weed.resolve(), options.size or SIZES, results, save)
        if not options.size:
            results["workers"] = scale_workers(bench, options.weed.resolve())


if __name__ == "__main__":
    main()

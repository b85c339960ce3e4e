"""Counts a worker's system calls, allocations and instructions."""

import os
import re
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from lone_worker import LoneWorker, lone_worker
from sides import PROJECT

# The numbers of requests in two runs.
FEW, MANY = 20, 120

# Sends a number of requests.
Ask = Callable[[LoneWorker, int], None]
# Reads a tool's output.
Read = Callable[[str], Counter]


def system_calls(summary: str) -> Counter:
    """The number of calls of each system call, from a summary of strace's with these two columns."""
    rows = re.findall(r"^ *(\d+) (\w+)$", summary, re.MULTILINE)
    return Counter({name: int(calls) for calls, name in rows if name != "total"})


ALLOCATORS = {"malloc", "calloc", "realloc", "posix_memalign", "aligned_alloc", "memalign"}


def profile(text: str) -> Counter:
    """The allocations and instructions in a profile of callgrind's (valgrind's manual, "Callgrind Format Specification").

    A call of an allocator counts for the object file, a library or the program, that contains the caller."""
    counts: Counter = Counter()
    names: dict[tuple[str, str], str] = {}
    caller, callee = {"ob": "", "fn": ""}, {"ob": "", "fn": ""}
    lines = iter(text.splitlines())
    for line in lines:
        if found := re.match(r"(c?)(ob|fn)=\((\d+)\)(?: (.*))?", line):
            # Only the first mention of a number has the name.
            name = names.setdefault((found[2], found[3]), found[4])
            (callee if found[1] else caller)[found[2]] = name
        elif found := re.match(r"calls=(\d+)", line):
            # glibc's allocators call each other.
            if callee["fn"] in ALLOCATORS and caller["fn"] not in ALLOCATORS:
                counts["libfcgi_allocations" if "libfcgi" in caller["ob"] else "allocations"] += int(found[1])
            # What was spent in the called function, which is listed itself.
            next(lines)
        elif found := re.match(r"[-+*\d]\S* (\d+)", line):
            counts["sha256_instructions" if "sha256_block" in caller["fn"] else "instructions"] += int(found[1])
    return counts


class Counting:
    """Counts what requests cost, in a temporary folder.

    strace counts the worker's system calls, callgrind the rest, each in a run with few and in one with many requests. The
    difference is the cost of requests, without start and stop: the figures are the same in each run, to less than 1 %,
    however busy the machine is."""

    def __init__(self, folder: Path, prepare: Callable[[LoneWorker], None]):
        self.folder, self.prepare = folder, prepare
        self.binaries, self.preload, self.output = folder / "bin", folder / "openat2.so", folder / "output"
        source = Path(os.environ["LPS_BIN_DIR"]).resolve()
        self.binaries.mkdir()
        (self.binaries / "lps").symlink_to(source / "lps")
        # valgrind 3.19 can't read the debug information (DWARF 5).
        run("strip", "--strip-debug", "-o", self.binaries / "lps-worker", source / "lps-worker")
        flags = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror"]
        run("cc", *flags, "-o", self.preload, PROJECT / "Tests/Preload/openat2.c")

    def costs(self, ask: Ask) -> dict:
        strace = ["strace", "-f", "-q", "-c", "--summary-columns=calls,name", "-o", str(self.output)]
        valgrind = ["env", f"LD_PRELOAD={self.preload}", "valgrind", "-q"]
        callgrind = [*valgrind, "--tool=callgrind", f"--callgrind-out-file={self.output}"]
        calls = self._per_request(ask, strace, system_calls)
        work = self._per_request(ask, callgrind, profile)
        return {
            "system_calls": round(sum(calls.values()), 1),
            "allocations": round(work["allocations"], 1),
            "libfcgi_allocations": round(work["libfcgi_allocations"], 1),
            "instructions": round(work["instructions"]),
            "sha256_instructions": round(work["sha256_instructions"]),
            "calls": {name: round(count, 1) for name, count in sorted(calls.items()) if count >= 0.05},
        }

    def _per_request(self, ask: Ask, tool: list[str], read: Read) -> Counter:
        few, many = (self._run(ask, count, tool, read) for count in (FEW, MANY))
        return Counter({name: (many[name] - few[name]) / (MANY - FEW) for name in many | few})

    def _run(self, ask: Ask, count: int, tool: list[str], read: Read) -> Counter:
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            with lone_worker(self.binaries, Path(name), []) as worker:
                self.prepare(worker)
            with lone_worker(self.binaries, Path(name), tool) as worker:
                ask(worker, count)
        return read(self.output.read_text())


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True)

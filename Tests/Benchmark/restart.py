#!/usr/bin/env python3
"""Measures the time from SIGUSR2 to the next answer of a pool of one worker. Usage: restart.py LPS_WORKER [TIMES]

The worker runs under spawn-fcgi and multiwatch. The program `lps` must be in the same folder as LPS_WORKER.
"""
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from lone_worker import LoneWorker, Request


def ping(path: Path) -> None:
    [answer] = LoneWorker(path.parent / "store", path).answers([Request("GET", "/lps/ping")])
    assert b"pong" in answer, answer


def main(worker: str, times: int = 40) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path, log = folder / "lps.sock", folder / "log"
        subprocess.check_call([Path(worker).parent / "lps", "init", "--store", folder / "store"])
        multiwatch = ["/usr/bin/multiwatch", "--forks=1", "--retry=1000000", "--timeout=1000", "--signal=TERM", "--", worker]
        with log.open("wb") as output:
            pool = subprocess.Popen(
                ["spawn-fcgi", "-n", "-s", path, "-b", "4096", "--", *multiwatch],
                env=os.environ | {"LPS_STORE": str(folder / "store")},
                stderr=output,
                start_new_session=True,
            )

        def wait_for(starts: int) -> None:
            while log.read_text().count("msg=serving") < starts:
                assert pool.poll() is None, log.read_text()

        taken = []
        for start in range(1, times + 1):
            wait_for(start)
            ping(path)
            process = subprocess.check_output(["pgrep", "-g", str(pool.pid), "-x", "lps-worker"], text=True)
            begun = time.perf_counter()
            os.kill(int(process), signal.SIGUSR2)
            wait_for(start + 1)
            ping(path)
            taken.append((time.perf_counter() - begun) * 1000)
        pool.terminate()
        pool.wait()
    print(f"median {statistics.median(taken):.0f} ms, longest {max(taken):.0f} ms")


main(sys.argv[1], *map(int, sys.argv[2:]))

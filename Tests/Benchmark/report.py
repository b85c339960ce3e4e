"""Makes tables and a plot of the results of bench.py or bench_s3.py. Usage: report.py RESULTS.json

The plot is written next to RESULTS.json. If a page with the same name exists (RESULTS.md), the tables replace the ones between
its marker lines.
"""

import json
import sys
from pathlib import Path

import matplotlib

from costs import cost_tables
from page import publish, table

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "lps"
from matplotlib import pyplot  # noqa: E402


# The service's CPU times apart, and their column titles.
PROGRAM_CPU = {
    "lps-worker_user_us_per_request": "worker user",
    "lps-worker_kernel_us_per_request": "worker kernel",
    "nginx_user_us_per_request": "nginx user",
    "nginx_kernel_us_per_request": "nginx kernel",
}


def comparison(rows: list[dict]) -> str:
    head = ["", "size", "connections", "", "ratio", "min to max", "until on disk", "service /s", "nginx /s"]
    return table(
        [*head, "CPU ratio", "service CPU", *PROGRAM_CPU.values()],
        [
            [
                row["operation"], row["size"], str(row["connections"]), "TLS" if row["tls"] else "plain",
                f"**{row['ratio']:.2f}**", f"{row['min']:.2f} to {row['max']:.2f}",
                f"{row['ratio_on_disk']:.2f}" if row["operation"] == "PUT new" else "",
                rate_of(row["service"]), rate_of(row["dav"]),
                f"{row['cpu_ratio']:.2f}", cpu(row["service"]),
                *(microseconds(row["service"], figure) for figure in PROGRAM_CPU),
            ]
            for row in rows
        ],
    )


# The targets for 128 KiB, 1 MiB, and all larger payloads.
TARGETS = {
    ("PUT new", "ratio"): ("new PUT : nginx's PUT", (0.9, 1.0, 1.0)),
    ("PUT new", "ratio_on_disk"): ("the same until both are on disk", (0.9, 1.0, 1.0)),
    ("GET", "ratio"): ("GET : nginx's GET", (0.85, 1.0, 1.0)),
    ("PUT new", "cpu_ratio"): ("CPU of a new PUT : nginx's PUT", (1.5, 1.3, 1.3)),
}


def targets(rows: list[dict]) -> str:
    sizes = (["128 KiB"], ["1 MiB"], ["16 MiB", "256 MiB"])
    lines = []
    for (operation, figure), (name, aims) in TARGETS.items():
        line = [name]
        for aim, group in zip(aims, sizes, strict=True):
            found = [row[figure] for row in rows if row["operation"] == operation and row["size"] in group and not row["tls"]]
            line.append(f"{aim}: {min(found):.2f} to {max(found):.2f}" if found else str(aim))
        lines.append(line)
    return table(["", "128 KiB", "1 MiB", "16 MiB and up"], lines)


def rate_of(side: dict) -> str:
    return f"{side['rate']:.{0 if side['rate'] > 20 else 1}f}"


def cpu(side: dict) -> str:
    per_request = f"{side['cpu_us_per_request']:.0f} µs"
    return f"{per_request}, {side['cpu_s_per_gib']:.2f} s/GiB" if "cpu_s_per_gib" in side else per_request


def microseconds(side: dict, figure: str) -> str:
    # Older results do not have every figure.
    return f"{side[figure]:.0f} µs" if figure in side else ""


def resources(results: dict) -> str:
    found = results["resources"]
    return table(
        ["", ""],
        [
            ["peak resident memory of a worker", f"{results['peak_memory'] / 2**20:.1f} MiB"],
            ["resident memory of an idle worker", f"{found['idle_memory'] / 2**20:.1f} MiB"],
            ["bytes written per byte stored, 1 MiB, new", f"{found['written_per_byte']:.2f}"],
            ["sync calls per new payload", f"{found['syncs_per_put']:.2f}"],
        ],
    )


def workers(rows: list[dict], operations: dict[str, str]) -> str:
    """A table of rates by number of workers; `operations` has the column title of each operation."""
    return table(
        ["workers", *operations.values()],
        [[row["name"], *(rate(row, operation) for operation in operations)] for row in rows],
    )


def objects(rows: list[dict]) -> str:
    return table(
        ["payloads in the store", "new PUT, 4 KiB", "GET", "start of a worker"],
        [
            [f"{int(row['name']):,}", *(rate(row, operation) for operation in ("put", "get")), f"{row['start_ms']:.0f} ms"]
            for row in rows
        ],
    )


def rate(row: dict, operation: str) -> str:
    return f"{row[operation]:.0f}/s ({row[operation + '_ratio']:.2f})"


# For the service on an S3 engine: each operation, the side it is compared with, and the title of the comparison.
ON_ENGINE = {
    "PUT new": ("engine", "upload : to the engine directly"),
    "GET cold": ("engine", "download, cold : from the engine directly"),
    "GET warm": ("file", "download, from the warm cache : nginx's local file"),
    "health": ("engine", "health : the engine's HEAD of the bucket"),
}


def ratios(rows: list[dict]) -> str:
    sizes = list(dict.fromkeys(row["size"] for row in rows if row["size"]))
    lines = []
    for operation, (_, name) in ON_ENGINE.items():
        line = [name]
        for size in sizes:
            # The health check has no size.
            found = [row["ratio"] for row in rows if row["operation"] == operation and row["size"] in (size, "")]
            line.append(span(min(found), max(found)) if found else "")
            if operation == "health":
                line += [""] * (len(sizes) - 1)
                break
        lines.append(line)
    return table(["", *sizes], lines)


def engine_comparison(rows: list[dict]) -> str:
    head = ["", "size", "connections", "compared with", "ratio", "min to max", "service /s", "the other /s"]
    head += ["service p50, p99", "the other's", "CPU of nginx", "of workers", "of the engine", "the other's"]
    lines = []
    for row in rows:
        other = row[ON_ENGINE[row["operation"]][0]]
        lines.append(
            [
                row["operation"], row["size"], str(row["connections"]), ON_ENGINE[row["operation"]][0],
                f"**{row['ratio']:.2f}**", span(row["min"], row["max"]),
                rate_of(row["service"]), rate_of(other), latency(row["service"]), latency(other),
                *(cpu_of(row["service"], program) for program in ("nginx", "lps-worker", "weed")), cpu_of(other, "cpu"),
            ]
        )
    return table(head, lines)


def cpu_of(side: dict, program: str) -> str:
    return milliseconds(side[f"{program}_us_per_request"] / 1000)


def span(least: float, most: float) -> str:
    return f"{least:.2f} to {most:.2f}" if least < most else f"{least:.2f}"


def latency(side: dict) -> str:
    return f"{milliseconds(side['p50_ms'])}, {milliseconds(side['p99_ms'])}"


def milliseconds(value: float) -> str:
    return f"{value:.{0 if value >= 20 else 1 if value >= 2 else 2}f} ms"


def ranges(found: dict) -> str:
    def line(name: str, side: str) -> list[str]:
        part, whole = found[f"{side}_range_ms"], found[f"{side}_whole_ms"]
        return [name, milliseconds(part), milliseconds(whole), f"{part / whole:.3f}"]

    head = ["", f"{found['range']} of it", f"all {found['size']}", "ratio"]
    return table(head, [line("the service, nothing in the cache", "service"), line("the engine directly", "engine")])


def memory(found: dict) -> str:
    return table(
        ["resident memory of a worker", ""],
        [["peak", f"{found['peak'] / 2**20:.1f} MiB"], ["idle", f"{found['idle'] / 2**20:.1f} MiB"]],
    )


def picture(rows: list[dict], operations: list[str], label: str, file: Path) -> None:
    shown = [row for row in rows if row["operation"] in operations]
    figure, axes = pyplot.subplots(1, len(operations), figsize=(12, 4), sharey=True)
    for axis, operation in zip(axes, operations, strict=True):
        chosen = [row for row in shown if row["operation"] == operation]
        sizes = list(dict.fromkeys(row["size"] for row in chosen))
        for kind in dict.fromkeys((row["connections"], row["tls"]) for row in chosen):
            line = [row for row in chosen if (row["connections"], row["tls"]) == kind]
            axis.plot(
                [sizes.index(row["size"]) for row in line], [row["ratio"] for row in line], marker="o",
                linestyle="--" if kind[1] else "-", label=f"{kind[0]} connections{', TLS' if kind[1] else ''}",
            )
        axis.axhline(1, color="grey", linewidth=0.8)
        axis.set_xticks(range(len(sizes)), sizes)
        axis.set_title(operation)
    axes[0].set_ylabel(label)
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def disk_report(results: dict, file: Path) -> dict[str, str]:
    tables = {"targets": targets(results["rows"]), "comparison": comparison(results["rows"])}
    if "resources" in results:
        tables["resources"] = resources(results)
    if results.get("workers"):
        tables["workers"] = workers(results["workers"], {"put": "new PUT, 128 KiB", "get": "GET, 128 KiB"})
    if results.get("objects"):
        tables["objects"] = objects(results["objects"])
    costs = file.with_name("performance-costs.json")
    if costs.exists():
        tables |= cost_tables(json.loads(costs.read_text()))
    operations = ["PUT new", "PUT existing", "GET"]
    picture(results["rows"], operations, "service / nginx, requests per second", file.with_suffix(".svg"))
    return tables


def engine_report(results: dict, file: Path) -> dict[str, str]:
    tables = {"ratios": ratios(results["rows"]), "comparison": engine_comparison(results["rows"])}
    tables["memory"] = memory(results["memory"])
    if "ranges" in results:
        tables["ranges"] = ranges(results["ranges"])
    if "workers" in results:
        operations = {"put": "new PUT, 128 KiB", "cold": "GET cold, 128 KiB", "warm": "GET warm, 128 KiB"}
        tables["workers"] = workers(results["workers"], operations)
    operations = ["PUT new", "GET cold", "GET warm"]
    picture(results["rows"], operations, "service / engine or file, requests per second", file.with_suffix(".svg"))
    return tables


def main() -> None:
    file = Path(sys.argv[1])
    results = json.loads(file.read_text())
    tables = engine_report(results, file) if "memory" in results else disk_report(results, file)
    publish(tables, file.with_suffix(".md"))


if __name__ == "__main__":
    main()

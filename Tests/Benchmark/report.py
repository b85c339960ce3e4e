"""Makes tables and a picture of what bench.py measured: REPORT.PY RESULTS.JSON writes them beside it.

The tables go into performance.md, between the lines that name them, when there is such a file.
"""

import json
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "lps"
from matplotlib import pyplot  # noqa: E402


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def comparison(rows: list[dict]) -> str:
    head = ["", "size", "connections", "", "ratio", "min to max", "until on disk", "service /s", "nginx /s"]
    return table(
        [*head, "CPU ratio", "service CPU"],
        [
            [
                row["operation"], row["size"], str(row["connections"]), "TLS" if row["tls"] else "plain",
                f"**{row['ratio']:.2f}**", f"{row['min']:.2f} to {row['max']:.2f}",
                f"{row['ratio_on_disk']:.2f}" if row["operation"] == "PUT new" else "",
                f"{row['service']['rate']:.{0 if row['service']['rate'] > 20 else 1}f}",
                f"{row['dav']['rate']:.{0 if row['dav']['rate'] > 20 else 1}f}",
                f"{row['cpu_ratio']:.2f}", cpu(row["service"]),
            ]
            for row in rows
        ],
    )


# What was aimed at, for 128 KiB, 1 MiB and all larger payloads.
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


def cpu(side: dict) -> str:
    per_request = f"{side['cpu_us_per_request']:.0f} µs"
    return f"{per_request}, {side['cpu_s_per_gib']:.2f} s/GiB" if "cpu_s_per_gib" in side else per_request


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


def workers(rows: list[dict]) -> str:
    return table(
        ["workers", "new PUT, 128 KiB", "GET, 128 KiB"],
        [[row["name"], *(rate(row, operation) for operation in ("put", "get"))] for row in rows],
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


def picture(rows: list[dict], file: Path) -> None:
    operations = ["PUT new", "PUT existing", "GET"]
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
    axes[0].set_ylabel("service / nginx, requests per second")
    axes[0].legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})


def main() -> None:
    file = Path(sys.argv[1])
    results = json.loads(file.read_text())
    tables = {"targets": targets(results["rows"]), "comparison": comparison(results["rows"])}
    if "resources" in results:
        tables["resources"] = resources(results)
    if results.get("workers"):
        tables["workers"] = workers(results["workers"])
    if results.get("objects"):
        tables["objects"] = objects(results["objects"])
    picture(results["rows"], file.with_suffix(".svg"))
    document = file.with_suffix(".md")
    text = document.read_text() if document.exists() else ""
    for name, content in tables.items():
        print(f"\n{content}")
        text = re.sub(
            f"(<!-- {name} -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL
        )
    if text:
        document.write_text(text)


if __name__ == "__main__":
    main()

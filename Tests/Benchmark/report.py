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
    return table(
        ["", "size", "connections", "", "ratio", "min to max", "service /s", "nginx /s", "CPU ratio", "service CPU"],
        [
            [
                row["operation"], row["size"], str(row["connections"]), "TLS" if row["tls"] else "plain",
                f"**{row['ratio']:.2f}**", f"{row['min']:.2f} to {row['max']:.2f}",
                f"{row['service']['rate']:.0f}", f"{row['dav']['rate']:.0f}", f"{row['cpu_ratio']:.2f}",
                cpu(row["service"]),
            ]
            for row in rows
        ],
    )


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
        ["workers", "PUT new 128 KiB /s", "GET 128 KiB /s"],
        [[str(row["workers"]), f"{row['put']:.0f}", f"{row['get']:.0f}"] for row in rows],
    )


def objects(rows: list[dict]) -> str:
    return table(
        ["payloads in the store", "PUT new 4 KiB /s", "GET /s", "start of a worker"],
        [
            [f"{row['objects']:,}", f"{row['put']:.0f}", f"{row['get']:.0f}", f"{row['start_ms']:.0f} ms"]
            for row in rows
        ],
    )


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
    tables = {"comparison": comparison(results["rows"])}
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

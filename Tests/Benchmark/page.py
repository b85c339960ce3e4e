"""Tables of results, and the page that shows them."""

import re
from pathlib import Path


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def publish(tables: dict[str, str], page: Path) -> None:
    """Prints the tables and, if the page exists, writes each between the page's marker lines with its name."""
    text = page.read_text() if page.exists() else ""
    for name, content in tables.items():
        print(f"\n{content}")
        text = re.sub(
            f"(<!-- {name} -->\n).*?(<!-- end -->)", lambda found: f"{found[1]}{content}\n{found[2]}", text, flags=re.DOTALL
        )
    if text:
        page.write_text(text)

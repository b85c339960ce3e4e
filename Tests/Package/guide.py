"""The commands and configurations that the project's pages show, for tests that run them as they stand there."""

import re
import textwrap
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def blocks(page: str, title: str | None = None, language: str = "sh", indent: str = " *") -> list[str]:
    """The blocks of a language in a page, or in its section, without their indentation.

    `indent` is a regular expression for the white space before the fences."""
    text = (PROJECT / page).read_text()
    if title:
        text = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    found = re.findall(rf"^{indent}```{language}\n(.*?)^{indent}```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]

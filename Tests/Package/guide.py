"""Reads commands and configurations from the documentation, for tests that run them as written."""

import re
import textwrap
from pathlib import Path

PROJECT = Path(__file__).parents[2]


def blocks(page: str, title: str | None = None, language: str = "sh", indent: str = " *") -> list[str]:
    """The code blocks of a language on a page, or in its section `title`, without their indentation.

    `indent` is a regular expression for the white space before the fences."""
    text = (PROJECT / page).read_text()
    if title:
        text = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)[1]
    found = re.findall(rf"^{indent}```{language}\n(.*?)^{indent}```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in found]

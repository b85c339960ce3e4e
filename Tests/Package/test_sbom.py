"""The bills of materials of `make sbom`; the package contains one of them."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

PROJECT = Path(__file__).parents[2]
BUILD = PROJECT / ".build"
BILLS = BUILD / "sbom"


def names_in(bill: Path) -> set[str]:
    return {component["name"] for component in json.loads(bill.read_text())["components"]}


@pytest.mark.parametrize("name", ["lps", "LargePayloadCodec"])
def test_a_bill_is_valid(name: str) -> None:
    text = (BILLS / f"{name}.cdx.json").read_text()
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    bill = json.loads(text)
    references = [component["bom-ref"] for component in bill["components"]]
    assert len(references) == len(set(references))
    for edge in bill["dependencies"]:
        assert set(edge["dependsOn"]) <= set(references)
    for component in bill["components"]:
        assert component["version"] and component["licenses"]
        ours = component["name"] in ("lps", "lps-worker", "LargePayloadCodec")
        assert ours or component["purl"].startswith(("pkg:swift/", "pkg:deb/", "pkg:github/"))


def test_the_package_contains_the_bill_of_its_programs(package: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", package, tmp_path], check=True)
    brought = tmp_path / "usr/share/doc/lps/lps.cdx.json"
    assert brought.read_text() == (BILLS / "lps.cdx.json").read_text()
    expected = {"swift", "swift-foundation", "swift-crypto", "BoringSSL", "swift-argument-parser", "libfcgi0ldbl", "libc6"}
    expected |= {"libcurl4", "libexpat1"}
    assert expected <= names_in(brought)
    assert not {"swift-nio", "async-http-client"} & names_in(brought), "only the client library uses these"


@pytest.mark.parametrize("program", ["lps-worker", "lps"])
def test_a_bill_has_every_linked_package(program: str) -> None:
    """The bill must list the packages whose objects were passed to the linker."""
    objects = (BUILD / "release" / f"{program}.product/Objects.LinkFileList").read_text()
    modules = set(re.findall(r"/([^/\s]+)\.build/", objects))
    linked = {
        source.parts[-3]
        for module in modules
        for source in (BUILD / "checkouts").glob(f"*/Sources/{module}")
    }  # fmt: skip
    ours = {folder.name.replace("-", "_") for folder in (PROJECT / "Sources").iterdir()}
    assert linked and modules - ours
    bill = json.loads((BILLS / "lps.cdx.json").read_text())
    depends = {edge["ref"]: edge["dependsOn"] for edge in bill["dependencies"]}
    reached, rest = set(), [program]
    while rest:
        reference = rest.pop()
        if reference not in reached:
            reached.add(reference)
            rest += depends[reference]
    told = {
        component["name"]
        for component in bill["components"]
        if component["bom-ref"] in reached and "commits" in component.get("pedigree", {})
    }
    assert told == linked


def test_a_bill_is_reproducible_except_for_its_date() -> None:
    command = [PROJECT / "debian/sbom", "--binaries", BUILD / "release", "lps-worker", "lps"]
    environment = {name: value for name, value in os.environ.items() if name != "SOURCE_DATE_EPOCH"}
    again = json.loads(subprocess.check_output(command, env=environment | {"SOURCE_DATE_EPOCH": "1"}))
    assert again["metadata"].pop("timestamp") == "1970-01-01T00:00:01Z"
    bill = json.loads((BILLS / "lps.cdx.json").read_text())
    bill["metadata"].pop("timestamp", None)
    assert again == bill

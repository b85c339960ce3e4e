"""Runs the README's commands as written, except for the ports."""

import json
import os
import re
import subprocess
from pathlib import Path

from support.service import LargePayloadService
from support.temporal import TemporalServer, temporal_executable

README = (Path(__file__).parents[2] / "README.md").read_text()


def shell(commands: str, folder: Path, service: LargePayloadService, **environment: str) -> str:
    """Runs the commands, and returns their output."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands.replace("http://127.0.0.1:8577", service.url)],
        cwd=folder,
        env={**os.environ, **environment},
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        timeout=120,
    ).stdout


def test_the_first_upload_and_download_print_the_output_shown(service: LargePayloadService, tmp_path: Path):
    [session] = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for step in session.removeprefix("$ ").split("\n$ "):
        command = re.match(r"(?:.*\\\n)*.*\n?", step)[0]
        printed = shell(command, tmp_path, service)
        assert printed.strip() == step[len(command) :].strip()


def test_the_command_line_starts_a_workflow_with_a_large_input(
    service: LargePayloadService, temporal_server: TemporalServer, tmp_path: Path
):
    (tmp_path / "large.json").write_text(json.dumps("letters " * 700_000))
    [commands] = re.findall(r"```sh\n(temporal workflow .*?)```", README, re.DOTALL)
    printed = shell(
        commands,
        tmp_path,
        service,
        PATH=f"{Path(temporal_executable()).parent}:{os.environ['PATH']}",
        TEMPORAL_ADDRESS=temporal_server.address,
        TEMPORAL_NAMESPACE=temporal_server.namespace,
    )
    assert ("letters " * 700_000 in printed) is True  # `is True` keeps pytest from printing a diff of megabytes.

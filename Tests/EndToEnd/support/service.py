"""The Large Payload Service from a client's view (docs/wire-contract.md)."""

import base64
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

REMOTE_CODEC = "temporal.io/remote-codec"


@dataclass(frozen=True)
class LargePayloadService:
    url: str
    store: Path

    @property
    def codec_endpoint(self) -> str:
        return f"{self.url}/codec"

    def delete(self, key: str) -> None:
        """Deletes a payload, as a retention that is too short does."""
        subprocess.run([Path(os.environ["LPS_BIN_DIR"]) / "lps", "rm", "--store", self.store, key], check=True)


def digest_of(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()


def key_of(namespace: str, metadata: dict[str, bytes], data: bytes) -> str:
    names = sorted(metadata, key=str.encode)
    metadata_hash = digest_of(b"".join(name.encode() + metadata[name] for name in names))
    return f"/blobs/{namespace}/common/{digest_of(data)}/{metadata_hash}"


def reference_data(namespace: str, metadata: dict[str, bytes], data: bytes) -> bytes:
    """The data of a reference to the payload. Does not support metadata with characters that Go escapes in JSON."""
    reference = {
        "metadata": {name: base64.b64encode(metadata[name]).decode() for name in sorted(metadata, key=str.encode)},
        "size": len(data),
        "digest": digest_of(data),
        "key": key_of(namespace, metadata, data),
    }
    return json.dumps(reference, separators=(",", ":")).encode()

"""Payload codecs for the Python SDK: two as a user of the service would write them, and one that runs the Swift library."""

import asyncio
import base64
import json
import os
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Sequence

from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import PayloadCodec

from support.service import REMOTE_CODEC, LargePayloadService, digest_of, reference_data

THRESHOLD = 128_000
TIMEOUT = 30  # Seconds per request.


class ServiceCodec(PayloadCodec):
    """Runs a subclass's conversion in a separate thread."""

    def __init__(self, service: LargePayloadService, namespace: str):
        self._service = service
        self._namespace = namespace

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await asyncio.to_thread(self._convert, "encode", payloads)

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return await asyncio.to_thread(self._convert, "decode", payloads)

    def _convert(self, operation: str, payloads: Sequence[Payload]) -> list[Payload]:
        raise NotImplementedError


class CodecServerCodec(ServiceCodec):
    """Encodes and decodes with the service's codec server, so that the client does not handle references."""

    def _convert(self, operation: str, payloads: Sequence[Payload]) -> list[Payload]:
        request = urllib.request.Request(
            f"{self._service.codec_endpoint}/{operation}",
            data=json_format.MessageToJson(Payloads(payloads=payloads), indent=None).encode(),
            headers={"Content-Type": "application/json", "X-Namespace": self._namespace},
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            assert "X-LPS-Undecoded" not in response.headers, response.headers["X-LPS-Undecoded"]
            return list(json_format.Parse(response.read(), Payloads()).payloads)


class StoreCodec(ServiceCodec):
    """Implements the wire contract: uploads payloads over the threshold, and downloads the payload that a reference names."""

    def _convert(self, operation: str, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encode_one(p) if operation == "encode" else self._decode_one(p) for p in payloads]

    def _encode_one(self, payload: Payload) -> Payload:
        if payload.ByteSize() <= THRESHOLD:
            return payload
        metadata = dict(payload.metadata)
        data = reference_data(self._namespace, metadata, payload.data)
        assert self._put(metadata, payload.data) == json.loads(data)["key"]
        return Payload(metadata={"encoding": b"json/plain", REMOTE_CODEC: b"v2"}, data=data)

    def _decode_one(self, payload: Payload) -> Payload:
        if REMOTE_CODEC not in payload.metadata:
            return payload
        reference = json.loads(payload.data)
        data = self._get(reference["key"], reference["size"])
        assert digest_of(data) == reference["digest"]
        metadata = {name: base64.b64decode(value) for name, value in reference["metadata"].items()}
        return Payload(metadata=metadata, data=data)

    def _put(self, metadata: dict[str, bytes], data: bytes) -> str:
        names = {name: base64.b64encode(value).decode() for name, value in metadata.items()}
        request = urllib.request.Request(
            f"{self._service.url}/v2/blobs/put?"
            + urllib.parse.urlencode({"namespace": self._namespace, "digest": digest_of(data)}),
            method="PUT",
            data=data,
            headers={
                "Content-Type": "application/octet-stream",
                "X-Temporal-Metadata": base64.b64encode(json.dumps(names).encode()).decode(),
            },
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return json.load(response)["Key"]

    def _get(self, key: str, size: int) -> bytes:
        request = urllib.request.Request(
            f"{self._service.url}/v2/blobs/get?" + urllib.parse.urlencode({"key": key}),
            headers={
                "Content-Type": "application/octet-stream",
                "X-Payload-Expected-Content-Length": str(size),
            },
        )
        with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
            return response.read()


class SwiftLibraryCodec(ServiceCodec):
    """Runs the Swift library in a separate process."""

    def _convert(self, operation: str, payloads: Sequence[Payload]) -> list[Payload]:
        ran = subprocess.run(
            [os.environ["SWIFT_CODEC"], operation, self._service.url, self._namespace],
            input=json_format.MessageToJson(Payloads(payloads=payloads), indent=None).encode(),
            capture_output=True,
            timeout=TIMEOUT,
        )
        assert ran.returncode == 0, ran.stderr.decode()
        return list(json_format.Parse(ran.stdout, Payloads()).payloads)

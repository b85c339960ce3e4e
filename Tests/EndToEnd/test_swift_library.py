"""The Swift library and the codec server read each other's references, and other SDKs read the library's errors."""

import asyncio
import random

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import DataConverter, PayloadCodec

from support.codecs import CodecServerCodec, StoreCodec, SwiftLibraryCodec
from support.service import REMOTE_CODEC, LargePayloadService, reference_data

CODECS = [CodecServerCodec, StoreCodec, SwiftLibraryCodec]


@pytest.mark.parametrize("decoder", CODECS)
@pytest.mark.parametrize("encoder", CODECS)
def test_each_decodes_what_the_other_encoded(
    service: LargePayloadService, encoder: type[PayloadCodec], decoder: type[PayloadCodec]
):
    payloads = [
        Payload(metadata={"encoding": b"binary/plain"}, data=random.Random(2).randbytes(5_000_000)),
        Payload(metadata={"encoding": b"json/plain"}, data=b'"small"'),
        Payload(metadata={"encoding": b"binary/plain", "note": b"\x00\xff"}, data=b"x" * 200_000),
    ]

    encoded = asyncio.run(encoder(service, "shared").encode(payloads))
    assert [REMOTE_CODEC in payload.metadata for payload in encoded] == [True, False, True]
    assert sum(payload.ByteSize() for payload in encoded) < 2000

    decoded = asyncio.run(decoder(service, "shared").decode(encoded))
    assert (decoded == payloads) is True  # `is True` keeps pytest from printing a diff of megabytes.


def test_other_sdks_show_why_a_payload_is_lost(service: LargePayloadService):
    metadata = {"encoding": b"binary/plain"}
    lost = Payload(
        metadata={"encoding": b"json/plain", REMOTE_CODEC: b"v2"},
        data=reference_data("shared", metadata, b"never stored"),
    )
    small = Payload(metadata={"encoding": b"json/plain"}, data=b'"small"')

    decoded = asyncio.run(SwiftLibraryCodec(service, "shared").decode([lost, small]))
    assert decoded[1] == small
    message = "large-payload-codec/error: download failed with status 404: blob not found"
    with pytest.raises(KeyError, match=message):
        asyncio.run(DataConverter.default.decode([decoded[0]], [str]))


def test_the_library_uses_the_proxy_of_the_environment(service: LargePayloadService, monkeypatch: pytest.MonkeyPatch):
    codec = SwiftLibraryCodec(service, "shared")
    small = [Payload(metadata={"encoding": b"json/plain"}, data=b'"small"')]
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.0/8")
    assert asyncio.run(codec.decode(small)) == small
    # Nothing listens on the proxy's port.
    monkeypatch.setenv("no_proxy", "example.com")
    with pytest.raises(AssertionError, match="health check failed"):
        asyncio.run(codec.decode(small))

"""The Swift library and the codec server read each other's references."""

import asyncio
import random

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from support.codecs import CodecServerCodec, StoreCodec, SwiftLibraryCodec
from support.service import REMOTE_CODEC, LargePayloadService

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

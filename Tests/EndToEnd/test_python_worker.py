"""A worker of Temporal's Python SDK that stores its documents in the service."""

import asyncio
import dataclasses
import random
import string
import uuid

import pytest
from temporalio.client import Client
from temporalio.converter import DataConverter, PayloadCodec
from temporalio.worker import Replayer, Worker

from support.codecs import CodecServerCodec, StoreCodec, SwiftLibraryCodec
from support.reversing import ReverseDocument, reverse
from support.service import LargePayloadService
from support.temporal import TemporalServer

DOCUMENT = "".join(random.Random(1).choices(string.ascii_letters, k=5_000_000))


@pytest.mark.parametrize(
    "codec_type",
    [
        pytest.param(CodecServerCodec, id="through_the_codec_server"),
        pytest.param(StoreCodec, id="by_put_and_get"),
        pytest.param(SwiftLibraryCodec, id="by_the_swift_library"),
    ],
)
def test_an_activity_gets_and_returns_five_megabytes_and_the_workflow_replays(
    service: LargePayloadService, temporal_server: TemporalServer, codec_type: type[PayloadCodec]
):
    codec = codec_type(service, temporal_server.namespace)
    converter = dataclasses.replace(DataConverter.default, payload_codec=codec)

    async def run_and_replay() -> None:
        client = await Client.connect(
            temporal_server.address, namespace=temporal_server.namespace, data_converter=converter
        )
        task_queue = str(uuid.uuid4())
        async with Worker(client, task_queue=task_queue, workflows=[ReverseDocument], activities=[reverse]):
            handle = await client.start_workflow(ReverseDocument.run, DOCUMENT, id=task_queue, task_queue=task_queue)
            result = await handle.result()
        assert (result == DOCUMENT[::-1]) is True  # `is True` keeps pytest from printing a diff of megabytes.

        history = await handle.fetch_history()
        assert sum(event.ByteSize() for event in history.events) < 100_000

        replayer = Replayer(workflows=[ReverseDocument], data_converter=converter)
        replay = await replayer.replay_workflow(history)
        assert replay.replay_failure is None

    asyncio.run(asyncio.wait_for(run_and_replay(), 60))

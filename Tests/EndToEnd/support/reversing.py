"""A workflow in which an activity reverses a document.

Temporal's sandbox imports this module again for every workflow, so it imports only the SDK. In a test's own file, the
workflow would make the sandbox import pytest.
"""

from datetime import timedelta

from temporalio import activity, workflow
from temporalio.exceptions import ApplicationError


@activity.defn
async def reverse(document: str) -> str:
    return document[::-1]


@workflow.defn
class ReverseDocument:
    @workflow.run
    async def run(self, document: str) -> str:
        reversed_document = await workflow.execute_activity(
            reverse, document, start_to_close_timeout=timedelta(seconds=60)
        )
        # A replay runs this, too: another document would give the workflow another result than in its history, so the
        # replay would fail.
        if reversed_document != document[::-1]:
            raise ApplicationError("the activity returned another document", non_retryable=True)
        return reversed_document

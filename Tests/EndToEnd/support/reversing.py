"""A workflow that has a document reversed by an activity.

Temporal's sandbox imports this module anew for every workflow, so it imports nothing but the SDK. In a test's own file
it would make the sandbox import pytest.
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
        # A replay runs this too. Other documents than the first time's would end the workflow otherwise than in its
        # history, and so fail the replay.
        if reversed_document != document[::-1]:
            raise ApplicationError("the activity returned another document", non_retryable=True)
        return reversed_document

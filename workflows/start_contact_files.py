"""Starts the workflow that reads or writes a file of contacts."""

from collections.abc import Awaitable, Callable

from temporalio.client import Client
from temporalio.common import Priority, SearchAttributePair, TypedSearchAttributes, WorkflowIDConflictPolicy

from postroom.contact_files.models import FileKind
from postroom.contact_files.poking import FilePoke
from postroom.contracts.contact_files import FileErrand
from postroom.contracts.vocabulary import Priority as Urgency
from workflows.contact_files import ContactExportWorkflow, ContactImportWorkflow
from workflows.queues import CONTACT_FILES
from workflows.start import CALL_PATIENCE, TENANT, answered


def file_starter(client: Client) -> Callable[[FilePoke], Awaitable[None]]:
    """Return the function the poker of files pokes with; a workflow that runs is left alone."""

    async def start(poke: FilePoke) -> None:
        imports = poke.kind == FileKind.IMPORT
        async with answered():
            await client.start_workflow(
                ContactImportWorkflow.run if imports else ContactExportWorkflow.run,
                FileErrand(poke.tenant_id, poke.job_id),
                id=poke.workflow_id,
                task_queue=CONTACT_FILES,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=TypedSearchAttributes([SearchAttributePair(TENANT, poke.slug)]),
                static_summary="an import of contacts" if imports else "an export of contacts",
                priority=Priority(priority_key=int(Urgency.LOW), fairness_key=str(poke.tenant_id)),
                rpc_timeout=CALL_PATIENCE,
            )

    return start

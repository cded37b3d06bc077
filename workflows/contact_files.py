"""Carries one file of contacts: whatever it takes to have it read, or written, to its end."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.contact_files import ContactFileActivities
    from postroom.contracts.contact_files import FileErrand, FileStanding
    from workflows.policies import PAGING_HEARTBEAT, PAGING_PATIENCE, PAGING_RETRY


@workflow.defn
class ContactImportWorkflow:
    """Runs one activity; everything it knows between two attempts is in the rows."""

    @workflow.run
    async def run(self, errand: FileErrand) -> FileStanding:
        """Return how the import ended."""
        return await workflow.execute_activity_method(
            ContactFileActivities.import_contacts,
            errand,
            start_to_close_timeout=PAGING_PATIENCE,
            heartbeat_timeout=PAGING_HEARTBEAT,
            retry_policy=PAGING_RETRY,
            summary="write the contacts, piece by piece",
        )


@workflow.defn
class ContactExportWorkflow:
    """The same for an export."""

    @workflow.run
    async def run(self, errand: FileErrand) -> FileStanding:
        """Return how the export ended."""
        return await workflow.execute_activity_method(
            ContactFileActivities.export_contacts,
            errand,
            start_to_close_timeout=PAGING_PATIENCE,
            heartbeat_timeout=PAGING_HEARTBEAT,
            retry_policy=PAGING_RETRY,
            summary="write the file, page by page",
        )

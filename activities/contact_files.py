"""The reading or writing of a file of contacts: one activity that goes on where another one stopped."""

from temporalio import activity
from temporalio.exceptions import ApplicationError, ApplicationErrorCategory

from activities.beating import beating
from activities.failures import translated
from postroom.contact_files.exporting import ContactExporter
from postroom.contact_files.importing import Importer
from postroom.contact_files.models import FileState
from postroom.contracts.contact_files import FileErrand, FileStanding
from postroom.timing import Timing


class ContactFileActivities:
    """Works off files, piece by piece."""

    def __init__(self, importer: Importer, exporter: ContactExporter, timing: Timing) -> None:
        self._importer = importer
        self._exporter = exporter
        self._beat_seconds = timing.heartbeat_patience.total_seconds() / 4

    @activity.defn
    async def import_contacts(self, errand: FileErrand) -> FileStanding:
        """Write an import to its end."""
        return await self._work(self._importer, errand)

    @activity.defn
    async def export_contacts(self, errand: FileErrand) -> FileStanding:
        """Write an export to its end."""
        return await self._work(self._exporter, errand)

    async def _work(self, worker: Importer | ContactExporter, errand: FileErrand) -> FileStanding:
        with translated():
            async with beating(self._beat_seconds, {}):
                standing = await worker.step(errand.tenant_id, errand.job_id)
                while standing.state == FileState.OPEN:
                    if activity.is_worker_shutdown():
                        raise ApplicationError(
                            "this worker ends; another goes on", category=ApplicationErrorCategory.BENIGN
                        )
                    standing = await worker.step(errand.tenant_id, errand.job_id)
        return standing

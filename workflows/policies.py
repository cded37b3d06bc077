"""Every timeout and retry policy of the engine, named once."""

from datetime import timedelta

from temporalio.common import RetryPolicy

# A pass is retried for ever: it fails only for what is ours (Postgres away, a worker killed, a heartbeat missed). The
# plan of a message, and its time-to-live, live in the rows.
PASS_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=2, maximum_interval=timedelta(seconds=10)
)

LOOK_PATIENCE = timedelta(seconds=10)
LOOK_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200), backoff_coefficient=2, maximum_interval=timedelta(seconds=5)
)

# The audience of a task is frozen in chunks; what is frozen stays, and another attempt goes on behind it.
FREEZE_PATIENCE = timedelta(hours=2)

# A run of a schedule pages a whole audience; what is written stays written, and another attempt goes on behind it.
PAGING_PATIENCE = timedelta(hours=2)
PAGING_HEARTBEAT = timedelta(seconds=10)
PAGING_RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=500), backoff_coefficient=2, maximum_interval=timedelta(seconds=30)
)

"""The list that export and erasure go by leaves nothing out: the catalog says what there is."""

from postroom.privacy.holdings import HOLDINGS, NAMING, Tie
from tests.privacy.people import KEPT, WORDY, columns

# Tables that hold nothing of a person to whom something is sent, each with its reason.
NOBODYS = {
    "alembic_version": "the schema's own",
    "api_keys": "programs of a tenant",
    "audiences": "rules that name nobody: one that lists people is refused",
    "blobs": "bytes of attachments; they go with the last row that refers to them",
    "campaign_tasks": "rules may list people; whoever is erased is struck from them",
    "campaigns": "names of what a tenant plans",
    "carriers": "names workflows by ids",
    "closings": "names workflows by ids",
    "contact_file_errors": "lines and codes, no values",
    "contact_file_people": "knows people by a keyed hash",
    "contact_file_pieces": "sealed; of an import until written, of an export until somebody in it is erased",
    "contact_files": "names whom an export is at while it goes on; an erasure ends it",
    "feedback_sources": "programs of a tenant",
    "job_results": "sealed; goes with the export, and with the erasure that overtakes it",
    "jobs": "counts",
    "notification_types": "a tenant's own words for what it sends",
    "notifications": "every step of the walk is about these; they lose the name last",
    "person_events": "knows people by a keyed hash",
    "person_jobs": "names a person while there is something to do for them",
    "provider_usage": "counts",
    "mail_domain_keys": "keys of a tenant's domains",
    "mail_domains": "a tenant's domains",
    "providers": "a tenant's servers",
    "schedule_runs": "lists of people, while they run; whoever is erased is struck from them",
    "schedules": "lists of people; whoever is erased is struck from them",
    "sender_service_bindings": "programs of a tenant",
    "sender_services": "a tenant's servers; an operator who is erased is struck from those to be told",
    "sequence_versions": "what is said to everybody",
    "sequences": "messages in an order",
    "suppressions": "keyed hashes; notes go when the address is erased",
    "task_page_lines": "counts; an erasure takes away those of the pages it touches",
    "task_rails": "counts",
    "task_standings": "counts",
    "template_events": "who did what with a template, by key",
    "template_sets": "templates in an order",
    "template_versions": "what is said to everybody",
    "task_events": "who did what with a task, by key",
    "task_links": "links in what is said to everybody",
    "task_pages": "counts",
    "templates": "what is said to everybody",
    "tenant_settings": "what a tenant decided for all its messages",
    "tenants": "the tenant",
    "webhook_endpoints": "programs of a tenant",
}


def test_every_table_is_a_persons_or_nobodys(database_url: str) -> None:
    tables = {column.table for column in columns(database_url)}
    held = {holding.table for holding in HOLDINGS}
    assert held & NOBODYS.keys() == set()
    assert tables == held | NOBODYS.keys()


def test_a_table_is_held_by_the_column_it_names_somebody_with(database_url: str) -> None:
    naming = {(column.table, column.name) for column in columns(database_url)}
    for holding in HOLDINGS:
        assert (holding.table, str(holding.tie)) in naming, holding.table
    people = {table for table, name in naming if name == Tie.PERSON} - NOBODYS.keys() - {"inbox_messages"}
    assert people == {holding.table for holding in HOLDINGS if holding.tie is Tie.PERSON}


def test_what_stays_of_a_row_that_stays_is_named(database_url: str) -> None:
    wordy = {(column.table, column.name) for column in columns(database_url) if column.type in WORDY}
    for holding in HOLDINGS:
        if holding.wiped or holding.kept:
            mine = {name for table, name in wordy if table == holding.table}
            assert mine == (holding.wiped.keys() & mine) | KEPT.get(holding.table, {}).keys(), holding.table
    assert {name for table, name in wordy if table == "notifications"} == {*KEPT["notifications"], "user_id"}


def test_what_is_wiped_last_is_held() -> None:
    assert {holding.table for holding in HOLDINGS if holding.wiped} >= NAMING

"""The last words of the start-up: where everything is, and a first message to paste."""

from datetime import UTC, datetime

from postroom.local.newsletter import LAUNCH, TAG
from postroom.local.ports import HOST
from postroom.local.scene import asleep
from postroom.local.stack import Stack

TEXT = """
  Postroom is running.

    API        {api}/api/v1      (documentation: {api}/docs)
{places}
    Data       {data}      (logs in {data}/logs)

  API key of the tenant "demo":

    {key}

  Send a first message to ada@example.com:

    curl {api}/api/v1/notifications \\
      -H "Authorization: Bearer {key}" \\
      -H "Content-Type: application/json" \\
      -d '{body}'
{then}
  Bruno reads German, and where he lives it is night ({zone}). Write to him, and see what it waits for:

    curl {api}/api/v1/notifications \\
      -H "Authorization: Bearer {key}" \\
      -H "Content-Type: application/json" \\
      -d '{asleep}'

    curl {api}/api/v1/users/bruno/notifications -H "Authorization: Bearer {key}"

  Six people have the tag "{tag}". Send them a newsletter, each in their language:

    curl {api}/api/v1/campaigns/send \\
      -H "Authorization: Bearer {key}" \\
      -H "Content-Type: application/json" \\
      -d '{launch}'

  Its answer links to the report and to the workflow. Four get it now, Bruno in his morning, and Gus has no address:

    curl "{api}/api/v1/tasks?limit=1" -H "Authorization: Bearer {key}"
{carried}
  Ctrl-C stops everything; `make up` finds it again.
"""
BODY = (
    '{"channel": "email", "title": "Hello Ada", "content": {"text": "Your parcel is on its way."}, '
    '"metadata": {"email": "ada@example.com"}}'
)

ASLEEP = (
    '{"user_id": "bruno", "channel": "email", "template": "parcel-shipped", "notification_type": "order_shipped", '
    '"variables": {"number": "A-1001", "arrives": "2026-12-01"}}'
)

CARRIED = "namespaces/default/workflows?query=WorkflowType%3D%22CampaignWorkflow%22"


def welcome(stack: Stack) -> str:
    """Say where the running parts are; parts that are somewhere else are not ours to name."""
    settings = stack.settings
    mailbox = None if settings.smtp_url else f"http://{HOST}:{settings.mailbox_http_port}"
    temporal = None if settings.temporal_address else f"http://{HOST}:{settings.temporal_ui_port}"
    places = [("Mailbox", mailbox), ("Temporal", temporal)]
    return TEXT.format(
        api=f"http://{HOST}:{settings.api_port}",
        places="\n".join(f"    {name:<9}  {place}" for name, place in places if place),
        data=stack.data_dir,
        key=stack.credentials.demo_key,
        body=BODY,
        zone=asleep(datetime.now(UTC)),
        asleep=ASLEEP,
        tag=TAG,
        launch=LAUNCH,
        carried=f"\n  and what carries it: {temporal}/{CARRIED}\n" if temporal else "",
        then=f"\n  and read it in the mailbox: {mailbox}\n" if mailbox else "",
    )

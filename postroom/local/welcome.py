"""The last words of the start-up: where everything is, and a first message to paste."""

from postroom.local.ports import HOST
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
  Ctrl-C stops everything; `make up` finds it again.
"""
BODY = (
    '{"channel": "email", "title": "Hello Ada", "content": {"text": "Your parcel is on its way."}, '
    '"metadata": {"email": "ada@example.com"}}'
)


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
        then=f"\n  and read it in the mailbox: {mailbox}\n" if mailbox else "",
    )

"""Which providers can be listened to."""

from collections.abc import Mapping
from enum import StrEnum

from postroom.egress.client import EgressClient, Letter, NoAnswerError, UnreachableError
from postroom.egress.targets import parse_target
from postroom.errors import Invalid
from postroom.feedback.vendors import mailgun, postmark, sendgrid, ses, signed
from postroom.feedback.vendors.base import Vendor


class VendorName(StrEnum):
    """A provider, or the format for all others."""

    SES = ses.NAME
    SENDGRID = sendgrid.NAME
    MAILGUN = mailgun.NAME
    POSTMARK = postmark.NAME
    SIGNED = signed.NAME


def vendors(client: EgressClient) -> Mapping[VendorName, Vendor]:
    """Build them; what one has to fetch is fetched by the client that goes nowhere private."""

    async def fetch(url: str) -> bytes:
        async def ready() -> bool:
            return True

        try:
            target = parse_target(url, public_only=True)
            reply = await client.post(Letter(target, {"Accept": "*/*"}, b"", "GET"), ready)
        except (Invalid, UnreachableError, NoAnswerError) as error:
            raise OSError(type(error).__name__) from error
        if reply.status != 200:  # noqa: PLR2004 - found
            raise OSError(reply.status)
        return reply.body

    return {
        VendorName.SES: ses.Ses(fetch),
        VendorName.SENDGRID: sendgrid.SendGrid(),
        VendorName.MAILGUN: mailgun.Mailgun(),
        VendorName.POSTMARK: postmark.Postmark(),
        VendorName.SIGNED: signed.Signed(),
    }

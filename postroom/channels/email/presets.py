"""The well-known providers by name: where their submission servers are and how they want to be spoken to."""

from dataclasses import dataclass
from enum import StrEnum


class Security(StrEnum):
    """How a connection is protected."""

    NONE = "none"  # plain; never carries credentials past loopback
    STARTTLS = "starttls"  # refused when the server does not offer it
    TLS = "tls"  # from the first byte


@dataclass(frozen=True, slots=True)
class Preset:
    """One provider; `{region}` in the host is filled from the URL, `username` is given where it is the same for all."""

    host: str
    port: int = 587
    security: Security = Security.STARTTLS
    username: str | None = None


PRESETS = {
    "163": Preset("smtp.163.com", 465, Security.TLS),
    "aliyun": Preset("smtpdm.aliyun.com", 465, Security.TLS),
    "brevo": Preset("smtp-relay.brevo.com"),
    "fastmail": Preset("smtp.fastmail.com", 465, Security.TLS),
    "gmail": Preset("smtp.gmail.com"),
    "icloud": Preset("smtp.mail.me.com"),
    "mailgun": Preset("smtp.mailgun.org"),
    "mailgun-eu": Preset("smtp.eu.mailgun.org"),
    "mailjet": Preset("in-v3.mailjet.com"),
    "mailtrap": Preset("live.smtp.mailtrap.io", username="api"),
    "office365": Preset("smtp.office365.com"),
    "outlook": Preset("smtp-mail.outlook.com"),
    "postmark": Preset("smtp.postmarkapp.com"),
    "qq": Preset("smtp.qq.com", 465, Security.TLS),
    "resend": Preset("smtp.resend.com", 465, Security.TLS, username="resend"),
    "sendgrid": Preset("smtp.sendgrid.net", username="apikey"),
    "ses": Preset("email-smtp.{region}.amazonaws.com"),
    "sparkpost": Preset("smtp.sparkpostmail.com", username="SMTP_Injection"),
    "sparkpost-eu": Preset("smtp.eu.sparkpostmail.com", username="SMTP_Injection"),
    "yahoo": Preset("smtp.mail.yahoo.com", 465, Security.TLS),
    "zoho": Preset("smtp.zoho.com", 465, Security.TLS),
    "zoho-eu": Preset("smtp.zoho.eu", 465, Security.TLS),
}

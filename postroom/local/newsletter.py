"""The small campaign of the demo tenant: a newsletter in two languages, and six people who read it."""

from typing import Any

NAME = "newsletter"
TAG = "readers"
TYPE = "newsletter"

_LETTER = """<mjml><mj-head><mj-attributes><mj-all font-family="Georgia, serif" />
<mj-text line-height="1.5" font-size="16px" /></mj-attributes></mj-head>
<mj-body background-color="#f4f1ea"><mj-section background-color="#ffffff"><mj-column>
<mj-text font-size="24px">{title}</mj-text>
<mj-text>{greeting} {{{{ contact.first_name | default("{somebody}") }}}},</mj-text>
<mj-text>{sentence}</mj-text>
<mj-button background-color="#1f4d3a" href="https://www.example.com/lamps?from=newsletter">{button}</mj-button>
<mj-text font-size="12px" color="#666666">{why}
<a href="{{{{ unsubscribe_url }}}}">{leave}</a> | <a href="{{{{ preferences_url }}}}">{choose}</a></mj-text>
</mj-column></mj-section></mj-body></mjml>"""
_ENGLISH = {
    "title": "New lamps and longer evenings",
    "greeting": "Hello",
    "somebody": "there",
    "sentence": "The days are getting shorter. Twelve new lamps came in this week, all of them made nearby.",
    "button": "Look at the lamps",
    "why": "You read this because you asked for our newsletter.",
    "leave": "Unsubscribe",
    "choose": "Your preferences",
}
_GERMAN = {
    "title": "Neue Lampen und längere Abende",
    "greeting": "Hallo",
    "somebody": "zusammen",
    "sentence": "Die Tage werden kürzer. Diese Woche kamen zwölf neue Lampen, alle aus der Nähe.",
    "button": "Die Lampen ansehen",
    "why": "Sie lesen das, weil Sie unseren Newsletter bestellt haben.",
    "leave": "Abbestellen",
    "choose": "Ihre Einstellungen",
}
NEWSLETTER: dict[str, Any] = {
    "name": NAME,
    "channel": "email",
    "language": "en",
    "languages": {
        "en": {"title": _ENGLISH["title"], "mjml": _LETTER.format(**_ENGLISH)},
        "de": {"title": _GERMAN["title"], "mjml": _LETTER.format(**_GERMAN)},
    },
    "variables": [],
}


def _reader(name: str, language: str, *, address: bool = True) -> dict[str, Any]:
    """Somebody who wants no quiet hours, so that their mail comes while one looks."""
    return {
        "addresses": {"email": f"{name.lower()}@example.com"} if address else {},
        "language": language,
        "attributes": {"first_name": name},
        "quiet_hours": {"enabled": False},
    }


READERS = {
    "dora": _reader("Dora", "de"),
    "emil": _reader("Emil", "en"),
    "fatima": _reader("Fatima", "en"),
    "gus": _reader("Gus", "en", address=False),  # has no address, and the report says so
}
EVERYBODY = ["ada", "bruno", *READERS]  # Bruno's waits for his morning
LAUNCH = (
    '{"name": "Lamps", "rule": {"tags": {"any": ["readers"]}}, "content": {"template": "newsletter"}, '
    '"notification_type": "newsletter"}'
)

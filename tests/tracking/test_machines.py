"""Who made a touch, as far as the request itself shows it."""

import pytest

from postroom.tracking.machines import Machine, Visit, machine_of
from postroom.tracking.tokens import TouchKind

OPEN, CLICK = TouchKind.OPEN, TouchKind.CLICK
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"


@pytest.mark.parametrize(
    ("kind", "visit", "machine"),
    [
        (OPEN, Visit(FIREFOX), None),
        (CLICK, Visit(FIREFOX), None),
        (OPEN, Visit(GMAIL), None),
        (CLICK, Visit(GMAIL), Machine.IMAGE_PROXY),
        (OPEN, Visit("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"), None),
        (OPEN, Visit("Mozilla/5.0"), Machine.APPLE_PRIVACY),
        (OPEN, Visit("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"), None),
        (OPEN, Visit("Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0.17928; Pro)"), None),
        (CLICK, Visit(FIREFOX, "HEAD"), Machine.HEAD),
        (CLICK, Visit(FIREFOX, purpose="prefetch;anonymous-client-ip"), Machine.PREFETCH),
        (CLICK, Visit(""), Machine.NO_AGENT),
        (OPEN, Visit("  "), Machine.NO_AGENT),
        (CLICK, Visit("Mozilla/5.0 (compatible; Barracuda Sentinel (EE))"), Machine.SCANNER),
        (CLICK, Visit("Mozilla/5.0 Proofpoint URL Defense"), Machine.SCANNER),
        (CLICK, Visit("Mimecast-URL-Protect"), Machine.SCANNER),
        (CLICK, Visit("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5"), Machine.PREVIEW),
        (CLICK, Visit("Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"), Machine.PROGRAM),
        (CLICK, Visit("python-requests/2.32"), Machine.PROGRAM),
        (CLICK, Visit("Mozilla/5.0 (X11) HeadlessChrome/131.0"), Machine.PROGRAM),
    ],
)
def test_machines(kind: TouchKind, visit: Visit, machine: Machine | None) -> None:
    assert machine_of(kind, visit) is machine

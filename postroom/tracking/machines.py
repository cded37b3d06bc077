"""Tells machines from people by what they say and when they come; kept as a reason, and nothing of them is stored.

No network address, and no user agent, is ever written down.
"""

import re
from dataclasses import dataclass
from enum import StrEnum

from postroom.tracking.tokens import TouchKind


class Machine(StrEnum):
    """Why a touch was not the person."""

    HEAD = "head"  # asked for the headers alone: checkers of links do
    PREFETCH = "prefetch"  # loaded ahead, in case the person might want it
    NO_AGENT = "no_agent"  # every mail program and browser says what it is
    APPLE_PRIVACY = "apple_privacy"
    SCANNER = "scanner"
    PREVIEW = "preview"
    PROGRAM = "program"
    IMAGE_PROXY = "image_proxy"  # follows links, which an image proxy has no business with
    AT_ONCE = "at_once"  # within seconds of acceptance, when nobody can have read it
    EVERY_LINK = "every_link"  # many links of one mail within seconds


@dataclass(frozen=True, slots=True)
class Visit:
    """What a request says of who makes it."""

    agent: str
    method: str = "GET"
    purpose: str = ""


# From the top; the first whose word stands in the user agent counts. Gateways and previews name themselves there, and
# the libraries of programs write their own name first (each product's own documentation of its user agent).
_WORDS = {
    Machine.SCANNER: (
        "barracuda|proofpoint|urldefense|mimecast|ironport|sophos|forcepoint|trendmicro|fireeye|symantec|messagelabs|"
        "cloudmark|safelinks|bitdefender|kaspersky|zscaler|trustwave|vadesecure|hornetsecurity|avanan|google-safety|"
        "virustotal|checkpoint"
    ),
    Machine.PREVIEW: (
        "bingpreview|microsoftpreview|skypeuripreview|slackbot|slack-imgproxy|whatsapp|telegrambot|discordbot|twitterbot|"
        "facebookexternalhit|linkedinbot|google-pagerenderer|mattermost"
    ),
    Machine.PROGRAM: (
        r"\bbot\b|bot/|crawler|spider|headlesschrome|phantomjs|^(?:curl|wget|python|aiohttp|go-http-client|java|okhttp|"
        r"libwww-perl|ruby|php|axios|node|undici|apache-httpclient|winhttp|postmanruntime)\b"
    ),
    # Mail Privacy Protection loads the images of all mail as it arrives, under the name that says least.
    # https://www.apple.com/legal/privacy/data/en/mail-privacy-protection/
    Machine.APPLE_PRIVACY: r"^mozilla/5\.0$",
}
_AGENTS = tuple((re.compile(words, re.IGNORECASE), machine) for machine, words in _WORDS.items())
# These load an image when the person opens the mail, so an open through them is the person's.
# https://support.google.com/mail/answer/145919
_IMAGE_PROXIES = re.compile(r"googleimageproxy|yahoomailproxy", re.IGNORECASE)


def machine_of(kind: TouchKind, visit: Visit) -> Machine | None:
    """Say by what a visit shows of itself that no person made it; when it came is asked later."""
    if visit.method == "HEAD":
        return Machine.HEAD
    if re.search("prefetch|preview|prerender", visit.purpose, re.IGNORECASE):
        return Machine.PREFETCH
    agent = visit.agent.strip()
    if not agent:
        return Machine.NO_AGENT
    if _IMAGE_PROXIES.search(agent):
        return Machine.IMAGE_PROXY if kind is TouchKind.CLICK else None
    return next((machine for pattern, machine in _AGENTS if pattern.search(agent)), None)

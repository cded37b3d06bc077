"""What the pages and the links to them say, in the languages they speak."""

from collections.abc import Mapping

from babel import Locale, UnknownLocaleError
from babel.dates import format_date

from postroom.subscriptions.repository import Pause

ENGLISH: Mapping[str, str] = {
    "title": "What you hear from {sender}",
    "lead": "Choose what reaches you, and how. Changes count at once.",
    "lead_address": "This page is about the address this message was sent to. Changes count at once.",
    "offers": "Offers and news {by}",
    "offers_hint": "Turn this off and no marketing from {sender} reaches you {by}. What concerns your account or an "
    "order still does.",
    "offers_are_off": "Off {by} while offers are turned off above.",
    "by_email": "by e-mail",
    "by_in_app": "in the app",
    "by_webhook": "by webhook",
    "email": "E-mail",
    "in_app": "In the app",
    "always": "Always on: it keeps your account safe.",
    "frequency": "How often",
    "immediate": "At once",
    "hourly": "Hourly summary",
    "daily": "Daily summary",
    "weekly": "Weekly summary",
    "pause": "Pause everything",
    "pause_hint": "What would reach you waits until the pause ends. Security messages still come.",
    "paused_until": "Paused until {until}.",
    "paused_forever": "Paused until you end it.",
    "pause_keep": "Leave it as it is",
    "pause_none": "No pause",
    "pause_week": "For a week",
    "pause_month": "For a month",
    "pause_forever": "Until I say otherwise",
    "save": "Save",
    "saved": "Saved.",
    "confirm_title": "Unsubscribe",
    "confirm_type": "Do you want no more “{title}” from {sender} {by}?",
    "confirm_all": "Do you want no more marketing from {sender} {by}?",
    "confirm": "Unsubscribe",
    "nothing_yet": "Nothing has changed yet.",
    "done_title": "You are unsubscribed",
    "done_type": "You will get no more “{title}” from {sender} {by}.",
    "done_all": "You will get no more marketing from {sender} {by}.",
    "done_still": "What concerns your account or an order still reaches you.",
    "undo": "Undo",
    "more": "All my choices, all marketing too",
    "choices": "Choose what reaches you",
    "undone_title": "You are subscribed again",
    "undone_type": "“{title}” from {sender} reaches you {by} again.",
    "undone_all": "Marketing from {sender} reaches you {by} again.",
    "lost_title": "This link does not work",
    "lost": "It may be cut off, or be too old. Nothing has changed.",
    "lost_help": "Open the link in a newer message once more, as a whole. If that does not help, answer the message "
    "and ask its sender to stop: they must.",
    "system": "System",
    "activity": "Activity",
    "billing": "Billing",
    "marketing": "Offers and news",
}
GERMAN: Mapping[str, str] = {
    "title": "Was Sie von {sender} erfahren",
    "lead": "Wählen Sie, was Sie erreicht, und wie. Änderungen gelten sofort.",
    "lead_address": "Diese Seite gilt für die Adresse, an die die Nachricht ging. Änderungen gelten sofort.",
    "offers": "Angebote und Neuigkeiten {by}",
    "offers_hint": "Ausgeschaltet erreicht Sie {by} keine Werbung von {sender}. Was Ihr Konto oder eine "
    "Bestellung betrifft, kommt weiterhin.",
    "offers_are_off": "Aus {by}, solange oben Angebote ausgeschaltet sind.",
    "by_email": "per E-Mail",
    "by_in_app": "in der App",
    "by_webhook": "per Webhook",
    "email": "E-Mail",
    "in_app": "In der App",
    "always": "Immer an: Es schützt Ihr Konto.",
    "frequency": "Wie oft",
    "immediate": "Sofort",
    "hourly": "Stündlich gesammelt",
    "daily": "Täglich gesammelt",
    "weekly": "Wöchentlich gesammelt",
    "pause": "Alles anhalten",
    "pause_hint": "Was Sie erreichen würde, wartet bis zum Ende der Pause. Sicherheitshinweise kommen trotzdem.",
    "paused_until": "Angehalten bis {until}.",
    "paused_forever": "Angehalten, bis Sie es beenden.",
    "pause_keep": "So lassen",
    "pause_none": "Keine Pause",
    "pause_week": "Für eine Woche",
    "pause_month": "Für einen Monat",
    "pause_forever": "Bis auf Weiteres",
    "save": "Speichern",
    "saved": "Gespeichert.",
    "confirm_title": "Abbestellen",
    "confirm_type": "Möchten Sie „{title}“ von {sender} nicht mehr {by} bekommen?",
    "confirm_all": "Möchten Sie keine Werbung von {sender} mehr {by} bekommen?",
    "confirm": "Abbestellen",
    "nothing_yet": "Noch hat sich nichts geändert.",
    "done_title": "Abbestellt",
    "done_type": "Sie bekommen „{title}“ von {sender} nicht mehr {by}.",
    "done_all": "Sie bekommen keine Werbung von {sender} mehr {by}.",
    "done_still": "Was Ihr Konto oder eine Bestellung betrifft, kommt weiterhin.",
    "undo": "Rückgängig machen",
    "more": "Alles, was ich wählen kann, auch alle Werbung",
    "choices": "Wählen, was Sie erreicht",
    "undone_title": "Wieder bestellt",
    "undone_type": "Sie bekommen „{title}“ von {sender} wieder {by}.",
    "undone_all": "Sie bekommen Werbung von {sender} wieder {by}.",
    "lost_title": "Dieser Link gilt nicht",
    "lost": "Vielleicht ist er abgeschnitten oder zu alt. Es hat sich nichts geändert.",
    "lost_help": "Öffnen Sie den Link in einer neueren Nachricht noch einmal, und zwar ganz. Hilft das nicht, "
    "antworten Sie auf die Nachricht und bitten Sie den Absender, aufzuhören: Er muss es.",
    "system": "System",
    "activity": "Aktivität",
    "billing": "Rechnungen",
    "marketing": "Angebote und Neuigkeiten",
}
LANGUAGES = {"en": ENGLISH, "de": GERMAN}
FALLBACK = "en"


def choose_language(known: str | None, accepted: str) -> str:
    """Return the language of a page: the person's, else the first we speak of the browser's."""
    asked = [known] if known else [entry.partition(";")[0].strip() for entry in accepted.split(",")]
    spoken = (tag.replace("_", "-").partition("-")[0].lower() for tag in asked)
    return next((language for language in spoken if language in LANGUAGES), FALLBACK)


def day(until: Pause, known: str | None, language: str) -> str:
    """Spell when a pause ends, the way it is done where the person lives."""
    if until is None or isinstance(until, str):
        return ""
    try:
        locale = Locale.parse((known or language).replace("_", "-"), sep="-")
    except (UnknownLocaleError, ValueError):
        locale = Locale.parse(language)
    return format_date(until, format="long", locale=locale if locale.language == language else language)

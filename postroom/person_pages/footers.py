"""The two links that every marketing mail shows its reader; put last where its words lead to neither page."""

from postroom.channels.base import Parcel
from postroom.person_pages.wording import LANGUAGES, choose_language
from postroom.rendering.speech import Words
from postroom.tracking.rewriting import last_in_body

STYLE = "margin:24px 0 0;font:12px/1.5 sans-serif;color:#5f6368;text-align:center"


def with_footer(parcel: Parcel, words: Words, language: str | None) -> Words:
    """Return the words of a mail that its reader can leave by: a part that names one of the links stays as it is.

    `language` is that of the words, a BCP 47 tag; pages and footers speak the same ones. What is no marketing mail, and
    one whose bytes are frozen, has no such links.
    """
    leave, choose = parcel.unsubscribe_url, parcel.preferences_url
    if leave is None or choose is None:
        return words
    said = LANGUAGES[choose_language(language, "")]
    text, html = words.text, words.html
    if html and leave not in html and choose not in html:
        links = f'<a href="{leave}">{said["confirm"]}</a> | <a href="{choose}">{said["choices"]}</a>'
        html = last_in_body(html, f'<p style="{STYLE}">{links}</p>')
    if text and leave not in text and choose not in text:
        text = f"{text.rstrip()}\n\n{said['confirm']}: {leave}\n{said['choices']}: {choose}\n"
    return Words(words.title, text, html)

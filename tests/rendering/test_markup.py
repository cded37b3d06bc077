"""MJML and style sheets: what comes out, that tags survive, and that nothing is fetched."""

import asyncio
from pathlib import Path

import pytest

from postroom.rendering.scripts import Script
from postroom.rendering.speech import Words
from postroom.rendering.stage import Stage
from postroom.rendering.trouble import Code, Trouble

ROWS = "<style>td { color: red } @media (max-width: 9px) { td { color: blue } }</style>"
LOOP = "{% for item in items %}<tr><td>{{ item }}</td></tr>{% else %}<tr><td>none</td></tr>{% endfor %}"


def html(stage: Stage, field: str, source: str, **values: object) -> str:
    script = Script.compile(stage, {field: source})
    assert isinstance(script, Script), script
    words = script.play(stage, values)
    assert isinstance(words, Words), words
    return words.html or ""


def test_styles_stand_in_the_elements_of_every_turn(stage: Stage) -> None:
    made = html(stage, "html", f"{ROWS}<table>{LOOP}</table>", items=["a", "<b>"])
    assert made.count('<td style="color: red;">') == 2
    assert "&lt;b&gt;" in made
    assert made.count("<tbody>") == made.count("</tbody>") == 1
    assert "none" not in made


def test_html_without_styles_stays_as_it_was_written(stage: Stage) -> None:
    source = "<p class=x>{{ a }}<br>\n<!-- {{ a }} --></p>"
    assert html(stage, "html", source, a="&") == "<p class=x>&amp;<br>\n<!-- &amp; --></p>"


def test_a_condition_among_attributes_is_refused_where_styles_are_inlined(stage: Stage) -> None:
    conditional = '<td {% if a %}class="b"{% endif %}>x</td>'
    assert html(stage, "html", conditional, a=True) == '<td class="b">x</td>'
    trouble = Script.compile(stage, {"html": f"{ROWS}\n{conditional}"})
    assert isinstance(trouble, Trouble)
    assert (trouble.code, trouble.line) == (Code.SYNTAX, 2)


@pytest.mark.parametrize("around", ["mj-body", "mj-section", "mj-column"])
def test_loops_and_conditions_stand_anywhere_in_mjml(stage: Stage, around: str) -> None:
    text = "<mj-text>{{ item }}{% if item == 'b' %}!{% endif %}</mj-text>"
    inner = f"<mj-column>{text}</mj-column>" if around == "mj-section" else text
    inner = f"<mj-section><mj-column>{text}</mj-column></mj-section>" if around == "mj-body" else inner
    loop = f"{{% for item in items %}}{inner}{{% endfor %}}"
    outer = {"mj-body": loop, "mj-section": f"<mj-section>{loop}</mj-section>"}.get(
        around, f"<mj-section><mj-column>{loop}</mj-column></mj-section>"
    )
    made = html(stage, "mjml", f"<mjml><mj-body>{outer}</mj-body></mjml>", items=["a", "b", "c"])
    assert [made.count(f">{said}</div>") for said in ("a", "b!", "c")] == [1, 1, 1]
    assert made.count("<div") == made.count("</div")


@pytest.mark.parametrize(("attribute", "language"), [("", "de-AT"), (' lang="fr"', "fr")])
def test_mjml_says_which_language_it_speaks(stage: Stage, attribute: str, language: str) -> None:
    stage.speak("de-AT", None)
    source = f"<mjml{attribute}><mj-body><mj-raw>{{{{ text }}}}</mj-raw></mj-body></mjml>"
    made = html(stage, "mjml", source, text='lang="und"')
    assert made.startswith(f'<!doctype html><html lang="{language}"')


def test_a_link_in_mjml_is_checked_like_any_other(stage: Stage) -> None:
    source = (
        "<mjml><mj-body><mj-section><mj-column>"
        "<mj-button href=\"{{ url | default('https://a.example') }}\">{{ label }}</mj-button>"
        "</mj-column></mj-section></mj-body></mjml>"
    )
    assert 'href="about:blank"' in html(stage, "mjml", source, url="javascript:x", label="Go")
    assert 'href="https://a.example"' in html(stage, "mjml", source, label="Go")
    assert "fonts.googleapis.com" not in html(stage, "mjml", source, label="Go")


async def test_nothing_is_fetched(stage: Stage, tmp_path: Path) -> None:
    asked = 0

    async def count(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        asked += 1
        writer.close()

    secret = tmp_path / "secret.css"
    secret.write_text("p { color: #c0ffee }")
    server = await asyncio.start_server(count, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    places = [f"http://127.0.0.1:{port}/a.css", f"//127.0.0.1:{port}/a.css", f"file://{secret}", str(secret)]
    async with server:
        for place in places:
            linked = (
                f'<link rel="stylesheet" href="{place}"><style>@import url("{place}"); a {{ top: 1px }}</style><p>x</p>'
            )
            head = f'<mj-head><mj-font name="X" href="{place}" /><mj-style>@import url({place});</mj-style></mj-head>'
            for field, source in (("html", linked), ("mjml", f"<mjml>{head}<mj-body></mj-body></mjml>")):
                assert "c0ffee" not in await asyncio.to_thread(html, stage, field, source)
        await asyncio.sleep(0.05)
    assert asked == 0


def test_a_condition_right_behind_the_styles_holds_no_part_of_the_document(stage: Stage) -> None:
    source = f"<!doctype html>{ROWS}{{% if a %}}<p>A</p>{{% else %}}<p>B</p>{{% endif %}}"
    for a, shown in ((True, "<p>A</p>"), (False, "<p>B</p>")):
        made = html(stage, "html", source, a=a)
        assert made.startswith("<!DOCTYPE html>")
        assert made.endswith(f"</head><body>{shown}</body></html>")
        assert made.count("<body>") == 1


def test_conditions_in_a_title_survive(stage: Stage) -> None:
    condition = "{% if a %}{{ a }}{% endif %}"
    page = f"<html><head><title>{condition}</title>{ROWS}</head><body>x</body></html>"
    assert "<title>Hi</title>" in html(stage, "html", page, a="Hi")
    head = f"<mj-title>{condition}</mj-title><mj-preview>{condition}</mj-preview>"
    head += "<mj-style>{% if a %}p { color: red }{% endif %}</mj-style>"
    made = html(stage, "mjml", f"<mjml><mj-head>{head}</mj-head><mj-body></mj-body></mjml>", a="Hi")
    assert "<title>Hi</title>" in made
    assert ">Hi</div>" in made
    assert ">p { color: red }</style>" in made


def test_a_condition_that_a_style_sheet_would_lose_is_refused(stage: Stage) -> None:
    trouble = Script.compile(stage, {"html": "<style>\n{% if a %}p { color: red }{% endif %}</style><p>x</p>"})
    assert isinstance(trouble, Trouble)
    assert (trouble.code, trouble.line) == (Code.SYNTAX, 2)


def test_an_inline_sheet_of_mjml_stands_in_the_elements(stage: Stage) -> None:
    sheets = '<mj-style inline="inline">.a { color: {{ c }} }</mj-style><mj-style>.z { color: green }</mj-style>'
    text = '{% for b in [1, 2] %}<mj-text><p class="a">{{ b }}</p></mj-text>{% endfor %}'
    body = f"<mj-section><mj-column>{text}</mj-column></mj-section>"
    mjml = f"<mjml><mj-head>{sheets}</mj-head><mj-body>{body}</mj-body></mjml>"
    made = html(stage, "mjml", mjml, c="red;background:url(x)")
    assert made.count('<p class="a" style="color: redbackgroundurlx;">') == 2
    assert ".z { color: green }" in made
    assert ".a {" not in made

"""Values in HTML whose surroundings depend on conditions and loops: every way through is looked at."""

import pytest

from postroom.rendering.scripts import Script
from postroom.rendering.speech import Words
from postroom.rendering.stage import Stage
from postroom.rendering.trouble import Code, Trouble

EVIL = "javascript:alert(1)"
URL = "https://a.example/b?c=d&e=f"
SHOWN = "https://a.example/b?c=d&amp;e=f"


def said(stage: Stage, source: str, **values: object) -> str:
    script = Script.compile(stage, {"html": source})
    assert isinstance(script, Script), script
    words = script.play(stage, values)
    assert isinstance(words, Words), words
    return str(words.html)


@pytest.mark.parametrize("other", ["https://b.example/x?y", "#", "/start"])
def test_each_branch_of_a_link_begins_it_anew(stage: Stage, other: str) -> None:
    source = f'<a href="{{% if vip %}}{other}{{% else %}}{{{{ url }}}}{{% endif %}}">x</a>'
    assert said(stage, source, vip=False, url=URL) == f'<a href="{SHOWN}">x</a>'
    assert said(stage, source, vip=False, url=EVIL) == '<a href="about:blank">x</a>'
    assert said(stage, source, vip=True, url=URL) == f'<a href="{other}">x</a>'


def test_blanks_before_a_link_are_none_of_it(stage: Stage) -> None:
    assert said(stage, '<a href=" {{ url }}">x</a>', url=URL) == f'<a href=" {SHOWN}">x</a>'
    assert said(stage, '<a href=" {{ url }}">x</a>', url=EVIL) == '<a href=" about:blank">x</a>'


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        # On one way the value begins the link, on the other it goes on with it.
        ('<a href="{% if vip %}https://a.example/{% endif %}{{ url }}">x</a>', '<a href="javascript%3Aalert(1)">x</a>'),
        ('<a href="{% if vip %}?q={% endif %}{{ url }}">x</a>', '<a href="javascript%3Aalert%281%29">x</a>'),
        ('<p {% if vip %}title="{% else %}style="{% endif %}{{ url }}">x</p>', '<p style="javascriptalert1">x</p>'),
        ("<p>{% if vip %}<!-- x{% else %}<!-- {% endif %} {{ url }} --></p>", f"<p><!--  {EVIL} --></p>"),
        ('{% if vip %}<td{% else %}<th{% endif %} class="{{ url }}">', f'<th class="{EVIL}">'),
        ("{% for a in [1, 2] %}<td {% if a == 2 %}x{% endif %}>{{ url }}{% endfor %}", f"<td >{EVIL}<td x>{EVIL}"),
    ],
)
def test_the_stricter_place_counts(stage: Stage, source: str, shown: str) -> None:
    assert said(stage, source, vip=False, url=EVIL) == shown


@pytest.mark.parametrize(
    "source",
    [
        "{% if vip %}<script>{% endif %}{{ url }}",
        "{% if vip %}<script>{% else %}</script>{% endif %}{{ url }}",
        "{% for a in [1, 2] %}{{ url }}<script>{% endfor %}",
        "{% for a in [1, 2] %}{{ url }}<a title='{% endfor %}",
        "{% for a in [] %}{% else %}<script>{% endfor %}{{ url }}",
        "<p {% if vip %}title='{% else %}onclick='{% endif %}{{ url }}'>",
        "<script></scripts>{{ url }}",
    ],
)
def test_a_script_on_any_way_is_refused(stage: Stage, source: str) -> None:
    trouble = Script.compile(stage, {"html": source})
    assert isinstance(trouble, Trouble)
    assert trouble.code == Code.UNSAFE


def test_what_looks_like_a_tag_in_a_title_is_none(stage: Stage) -> None:
    assert (
        said(stage, '<title><a href="{{ url }}</title>{{ url }}', url=EVIL) == f'<title><a href="{EVIL}</title>{EVIL}'
    )
    assert said(stage, '<!--><a href="{{ url }}">', url=EVIL) == '<!--><a href="about:blank">'

"""What a tenant may name as a URL, and what never."""

import pytest

from postroom.egress.targets import Target, parse_target
from postroom.errors import Invalid


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("https://Shop.Example.com", Target("https", "shop.example.com", 443, "/")),
        (
            "HTTPS://shop.example.com:8443/hooks?a=b&c=%2F",
            Target("https", "shop.example.com", 8443, "/hooks?a=b&c=%2F"),
        ),
        ("https://xn--bcher-kva.example/x", Target("https", "xn--bcher-kva.example", 443, "/x")),
        ("https://8.8.8.8/x", Target("https", "8.8.8.8", 443, "/x")),
        ("https://[2606:4700:4700::1111]/x", Target("https", "2606:4700:4700::1111", 443, "/x")),
    ],
)
def test_allowed(url: str, target: Target) -> None:
    assert parse_target(url, public_only=True) == target


@pytest.mark.parametrize(
    "url",
    [
        "http://shop.example.com", "https://127.0.0.1", "https://0", "https://0x7f.1", "https://2130706433",
        "https://017700000001", "https://127.1", "https://[::1]", "https://[::ffff:10.0.0.1]", "https://1.2.3.4.",
        "https://[64:ff9b::a9fe:a9fe]", "https://[64:ff9b:1::1]", "https://[2002:7f00:1::]", "https://[2001::1]",
        "https://[fe80::1%25eth0]", "https://[fe80::1%eth0]", "https://100.64.0.1", "https://198.18.0.1",
        "https://169.254.169.254/latest/meta-data", "https://localhost", "https://api", "https://metadata.internal",
        "https://printer.local", "https://shop.example.com.", "https://shop..example.com", "https://-a.example.com",
        "file:///etc/passwd", "gopher://shop.example.com", "ftp://shop.example.com", "//shop.example.com", "shop",
        "https://user@shop.example.com", "https://a:b@shop.example.com", "https://shop.example.com#x",
        "https://shop.example.com:25", "https://shop.example.com:6379", "https://shop.example.com:0",
        "https://shop.example.com:22", "https://shop.example.com:65536", "https://shop.example.com/%0d%0aX: y",
        "https://shop.example.com/%00", "https://shop.example.com/a b", "https://shop.example.com/\r\n", "",
        "https://shop.example.com\\@evil.example.com", "https://b\u00fccher.example", "https://\u0430pple.com",
        "https://shop.example.com/%zz", "https://" + "a" * 64 + ".example.com", "https://e.com/" + "x" * 2048,
        "https://shop.example.com\n", " https://shop.example.com",
        "https://[::ffff:7f00:1]", "https://[::127.0.0.1]", "https://[::ffff:0:127.0.0.1]", "https://127.0.0.0x1",
        "https://0177.0.0.1", "https://[2001:0:7f00:1::]", "https://a.localhost", "https://shop.example.com:",
    ],
)  # fmt: skip
def test_refused(url: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_target(url, public_only=True)
    assert refusal.value.code == "url_not_allowed"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8000/hook", "http://localhost:9999/", "http://receiver:8080/x"])
def test_a_private_network_is_allowed_where_the_deployment_says_so(url: str) -> None:
    assert str(parse_target(url, public_only=False)) == url
    with pytest.raises(Invalid):
        parse_target(url, public_only=True)


@pytest.mark.parametrize("url", ["http://0x7f.1/", "http://2130706433/", "http://a@127.0.0.1/", "http://127.0.0.1:22/"])
def test_odd_spellings_are_refused_there_too(url: str) -> None:
    with pytest.raises(Invalid):
        parse_target(url, public_only=False)

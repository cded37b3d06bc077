"""Which providers take a tenant's mail."""

import os

import pytest

from postroom.channels.email.providers import Provider, parse_provider, parse_providers
from postroom.database.engine import Database
from postroom.tenants.providers import NewProvider, Providers
from postroom.tenants.secrets import Seal
from postroom.tenants.ways import ProviderBook, Ways, with_password
from tests.fixtures.database import Tenants

COMMON = parse_providers("smtp://127.0.0.1:2525")
SEAL = Seal({"k1": os.urandom(32)})


def book(database: Database) -> ProviderBook:
    return ProviderBook(database, SEAL, Ways(COMMON, public_only=True))


async def test_a_tenant_without_its_own_uses_the_deployments(database: Database, tenants: Tenants) -> None:
    assert await book(database).providers_of(tenants.alice.id) == COMMON


async def test_its_own_come_in_order_with_their_passwords_and_nobody_elses(
    database: Database, tenants: Tenants
) -> None:
    mine = Providers(database, SEAL, tenants.alice.id)
    await mine.add(NewProvider("first", "smtps://ada%40example.com@mail.example.com", "p@ss/w:rd"))
    await mine.add(NewProvider("second", "preset:sendgrid", "SG.x"))
    await Providers(database, SEAL, tenants.decoy.id).add(NewProvider("decoy", "smtp://decoy.example.com"))
    first, second = await book(database).providers_of(tenants.alice.id)
    assert (first.name, first.username, first.password) == ("own/first", "ada@example.com", "p@ss/w:rd")
    assert (second.name, second.host, second.password) == ("own/second", "smtp.sendgrid.net", "SG.x")
    assert first.public_only


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtps://u@h", "smtps://u:a%40b%2F%3A@h"),
        ("preset:sendgrid", "preset:sendgrid?password=a%40b%2F%3A"),
        ("preset:ses?region=eu-west-1", "preset:ses?region=eu-west-1&password=a%40b%2F%3A"),
    ],
)
def test_a_password_finds_its_place(url: str, expected: str) -> None:
    assert with_password(url, "a@b/:") == expected


def test_the_completed_url_reads_back() -> None:
    provider: Provider = parse_provider(with_password("smtp+starttls://me@mail.example.com:2587", "ü?&#"))
    assert (provider.port, provider.password) == (2587, "ü?&#")

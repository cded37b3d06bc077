"""The scripts of the compose file do their work on real servers, twice over."""

import os
import socket
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.errors import InsufficientPrivilege

from postroom.database.engine import Role, open_database
from postroom.local.parts import answers_http
from postroom.local.postgres import EmbeddedPostgres
from postroom.local.settings import LocalSettings
from postroom.local.temporal import SEARCH_ATTRIBUTES, temporal_command, temporal_program
from tests.fixtures.cluster import migrate
from tests.local.waiting import eventually

CHECKOUT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

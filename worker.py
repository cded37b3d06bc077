"""Composition root of the worker process: settings, resources, activities, the workers, relay, sweeper and drain."""

import asyncio
import gc
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from typing import Any

import uvloop
from temporalio.client import Client
from temporalio.worker import Worker

from activities.campaigns import CampaignActivities
from activities.carriers import CarrierActivities
from activities.contact_files import ContactFileActivities
from activities.digests import DigestActivities
from activities.passes import PassActivities
from activities.schedules import ScheduleActivities
from activities.sequences import SequenceActivities
from postroom.campaigns.sending.poking import TaskPoker
from postroom.contact_files.exporting import ContactExporter
from postroom.contact_files.importing import Importer
from postroom.contact_files.poking import FilePoker
from postroom.contracts.vocabulary import Carries
from postroom.database.engine import Role
from postroom.deliveries.sending import Sender
from postroom.digests.poker import DigestPoker
from postroom.guard_rails.rounds import RailRounds
from postroom.loops import end
from postroom.mail_domains.checking import Checks
from postroom.mail_domains.records import House
from postroom.mail_domains.rounds import DomainRounds
from postroom.observability import set_up_logs
from postroom.outfits import outfits_for
from postroom.privacy.erasing import Eraser
from postroom.privacy.exporting import Exporter
from postroom.privacy.rounds import PersonRounds
from postroom.relay.listener import listen
from postroom.relay.relay import Capacity, Relay
from postroom.relay.sweeper import sweep_rounds
from postroom.rendering.renderer import Renderer
from postroom.reports.rounds import LineRounds
from postroom.reports.standings import StandingRounds
from postroom.resources import Resources, open_resources
from postroom.schedules.keeping import Engine, Keeper
from postroom.sequences.poking import Poker
from postroom.settings import Settings
from workflows.engine import connect
from workflows.starters import (
    carrier_starter,
    digest_starter,
    enrolment_starter,
    file_starter,
    run_starter,
    task_starter,
)
from workflows.timetable import aligner
from workflows.workers import Carrying, carriers_workers, digests_worker, files_worker, recurring_worker

log = logging.getLogger("worker")

CONNECTIONS = {Role.APP: 24, Role.SYSTEM: 6, Role.LEDGER: 4}
# A page of a task is some hundred thousand objects that live for a second and hold no cycle. Looking through the young
# ones whenever there are 700 more, as the interpreter does, is a fifth of the CPU of a bulk send.
CYCLES = (100_000, 20, 50)

Round = Coroutine[Any, Any, None]


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT, then drain: take nothing new, finish what is being handed off."""
    stopping = asyncio.Event()
    for one in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(one, stopping.set)
    async with AsyncExitStack() as stack:
        resources = await stack.enter_async_context(open_resources(settings, CONNECTIONS))
        connecting = asyncio.create_task(connect(settings.temporal_address, settings.temporal_namespace))
        await _first(connecting, stopping)
        if stopping.is_set():
            connecting.cancel()
            return
        client = connecting.result()
        for worker in await _workers(client, resources, stack):
            await stack.enter_async_context(worker)
        stack.push_async_callback(_end, _started(_rounds(client, resources, stopping)))
        gc.freeze()  # what is here now stays until the end
        log.info("carrying for %s on %s", settings.temporal_namespace, settings.temporal_address)
        await stopping.wait()
        log.info("draining: nothing new is taken, what is being handed off is finished")


async def _workers(client: Client, resources: Resources, stack: AsyncExitStack) -> list[Worker]:
    """Every worker of this process; one that carries bulk sends alone leaves the rest to others."""
    settings, timing = resources.settings, resources.timing
    renderer = await stack.enter_async_context(Renderer(settings.renderers).open(warm=True))
    ordinary, critical, bulk = outfits_for(resources, stack, renderer)
    carrying = Carrying(
        CarrierActivities(resources.database, timing),
        PassActivities(Sender(ordinary), Sender(critical), timing),
        CampaignActivities(bulk, settings.campaign_page),
    )
    workers = list(carriers_workers(client, carrying, timing.drain, settings.carries))
    if settings.carries is not Carries.CAMPAIGNS:
        workers += _other_workers(client, resources, renderer)
    return workers


def _other_workers(client: Client, resources: Resources, renderer: Renderer) -> list[Worker]:
    """Digests, what comes again, and files of contacts."""
    database, seal, timing = resources.database, resources.seal, resources.timing
    runs = ScheduleActivities(database, timing, resources.settings.page_size)
    importer = Importer(database, seal, resources.pepper, timing)
    files = ContactFileActivities(importer, ContactExporter(database, seal, timing), timing)
    return [
        digests_worker(client, DigestActivities(database, renderer, timing), timing.drain),
        recurring_worker(client, runs, SequenceActivities(database, timing), timing.drain),
        files_worker(client, files, timing.drain),
    ]


def _rounds(client: Client, resources: Resources, stopping: asyncio.Event) -> list[Round]:
    """What this process does beside its workers, as long as it runs."""
    rounds = _rounds_of_tasks(client, resources, stopping)
    if resources.settings.carries is not Carries.CAMPAIGNS:
        rounds += _other_rounds(client, resources, stopping)
    return rounds


def _rounds_of_tasks(client: Client, resources: Resources, stopping: asyncio.Event) -> list[Round]:
    """What every process does for bulk sends, and for whatever a killed one left."""
    database, settings, timing = resources.database, resources.settings, resources.timing
    return [
        TaskPoker(database, task_starter(client, timing, settings.campaign_window), timing).run(stopping),
        sweep_rounds(database, timing),
        RailRounds(database, timing).run(),
        LineRounds(database, timing).run(),
        StandingRounds(database, timing).run(),
    ]


def _other_rounds(client: Client, resources: Resources, stopping: asyncio.Event) -> list[Round]:
    """The relay, and what brings everything else that is due to the engine or does it step by step."""
    database, settings, timing = resources.database, resources.settings, resources.timing
    woken = asyncio.Event()
    capacity = Capacity(settings.page_size, settings.alone_threshold, settings.relay_window)
    eraser, exporter = Eraser(resources.pepper), Exporter(resources.pepper, resources.seal)
    house = House(settings.spf_include, settings.bounce_host)
    return [
        listen(settings.database_url, woken, timing.relay_poll),
        Relay(database, carrier_starter(client, timing), timing, capacity).run(woken, stopping),
        DigestPoker(database, digest_starter(client, timing), timing).run(stopping),
        Keeper(database, Engine(aligner(client), run_starter(client)), timing).rounds(),
        Poker(database, enrolment_starter(client), timing).rounds(),
        FilePoker(database, file_starter(client), timing).rounds(),
        PersonRounds(database, timing, eraser, exporter).run(),
        DomainRounds(database, Checks.asking(settings.dns_servers, house, database, timing), timing).run(),
    ]


def _started(rounds: Sequence[Round]) -> list[asyncio.Task[None]]:
    return [asyncio.create_task(one) for one in rounds]


async def _end(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        await end(task)


async def _first(task: asyncio.Task[Client], stopping: asyncio.Event) -> None:
    waiting = asyncio.create_task(stopping.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()


def main() -> None:
    """Run the worker; `python -m worker`."""
    settings = Settings()
    set_up_logs("worker", settings.log_format)
    gc.set_threshold(*CYCLES)
    code = 0
    try:
        uvloop.run(run(settings))  # a tenth less CPU per notification than asyncio's own loop
    except Exception:
        log.exception("the worker cannot go on")
        code = 1
    # The engine's core threads may still hold the interpreter's lock at exit and abort the process (sdk-python#300).
    logging.shutdown()
    sys.stdout.flush()
    os._exit(code)


if __name__ == "__main__":
    main()

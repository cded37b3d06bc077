"""Composition root of the API process: settings, resources, services, routes."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.middleware import Middleware

from api.bodies import BodyMiddleware
from api.dependencies import Services
from api.draining import told_to_end
from api.exchange import ExchangeMiddleware
from api.health import Readiness, health_routes
from api.parts import PARTS
from api.person_pages import PATHS, person_page_routes
from api.problems import add_problem_handlers
from api.reference import reference_routes
from api.tracking import tracking_routes
from api.v1.contacts import files as contact_files
from api.v1.contacts import privacy
from api.v1.feedback import routes as feedback
from api.v1.notifications.accepting import add_accepting_routes
from api.v1.refusals import problem_schemas
from postroom.audiences.saved import SavedAudiences
from postroom.audiences.service import Audiences
from postroom.campaigns.planning.approval import Approvals
from postroom.campaigns.planning.checking import LaunchChecks
from postroom.campaigns.planning.drafting import Drafts
from postroom.campaigns.planning.launching import Launches
from postroom.campaigns.planning.leaving import Departures
from postroom.campaigns.service import Campaigns
from postroom.campaigns.steering.control import TaskControl
from postroom.campaigns.steering.correcting import Corrections
from postroom.campaigns.steering.telling import TaskStories
from postroom.contact_files.receiving import FileReception
from postroom.contact_files.service import ContactFiles
from postroom.contacts.service import Contacts
from postroom.contacts.tagging import Tags
from postroom.database.engine import Role
from postroom.digests.service import Digests
from postroom.egress.client import EgressClient, Patience
from postroom.feedback.intake import Intake
from postroom.feedback.mail import MailReader
from postroom.feedback.sources import Sources
from postroom.feedback.vendors.table import vendors
from postroom.guard_rails.service import GuardRails
from postroom.inbox.service import Inbox
from postroom.jobs.control import JobControl
from postroom.jobs.reading import JobReading
from postroom.jobs.reception import BatchReception
from postroom.mail_domains.checking import Checks
from postroom.mail_domains.records import House
from postroom.mail_domains.service import MailDomains
from postroom.notifications.accepting import LANES, Accepting
from postroom.notifications.backlog import Backlog
from postroom.notifications.bell import Bell
from postroom.notifications.control import Control
from postroom.notifications.reading import Reading
from postroom.notifications.reception import Reception
from postroom.observability import set_up_logs
from postroom.paging import Cursors
from postroom.person_pages.service import PersonPages
from postroom.policy.service import Policies
from postroom.policy.trying import Trial
from postroom.privacy.service import Privacy
from postroom.rates import Rate
from postroom.rendering.inspection import RenderingInspector
from postroom.rendering.rehearsals import Rehearsals
from postroom.rendering.renderer import Renderer
from postroom.reports.overview import Overviews
from postroom.reports.recipients import Recipients
from postroom.reports.service import Reports
from postroom.reports.watching import Watching
from postroom.resources import Resources, open_resources
from postroom.schedules.service import Schedules
from postroom.sender_services.bindings import ServiceBindings
from postroom.sender_services.service import SenderServices
from postroom.sender_services.trying import ServiceTrial
from postroom.sequences.enrolling import Enrolments
from postroom.sequences.service import Sequences
from postroom.settings import Settings
from postroom.statistics.service import Statistics
from postroom.subscriptions.classes import Classes
from postroom.subscriptions.declaring import Kinds
from postroom.subscriptions.service import Subscriptions
from postroom.suppressions.service import Suppressions
from postroom.templates.globals import Globals
from postroom.templates.review import Review
from postroom.templates.rules import Rules
from postroom.templates.service import Templates
from postroom.templates.sets import TemplateSets
from postroom.tenants.gate import Gate
from postroom.timing import Timing
from postroom.tracking.recording import TouchRecorder
from postroom.webhooks.replaying import Replays
from postroom.webhooks.service import Endpoints

CONNECTIONS = {Role.APP: 10, Role.SYSTEM: 6, Role.ACCEPT: LANES}
VERSION = "0.1.0"
DESCRIPTION = "Durable notifications: accepted means accounted for."
PREFIX = "/api/v1"
IMPORTS = f"{PREFIX}/contacts/imports"


def create_app(settings: Settings | None = None) -> FastAPI:
    """Build the API; without settings it reads the environment and speaks for the whole process."""
    if settings is None:
        settings = Settings()
        set_up_logs("api", settings.log_format)
    wanted = settings

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            resources = await stack.enter_async_context(open_resources(wanted, CONNECTIONS))
            bell = Bell(resources.database)
            await stack.enter_async_context(bell.attended())
            renderer = await stack.enter_async_context(Renderer(wanted.renderers).open(warm=False))
            client = EgressClient(_patience(resources.timing), public_only=True)
            stack.push_async_callback(client.close)
            app.state.services = services = _services(resources, bell, renderer, client)
            stack.push_async_callback(services.touches.close)
            stack.enter_context(told_to_end(services.watching.close))
            app.state.readiness = Readiness(resources.database, wanted)
            yield

    app = FastAPI(
        title="Postroom",
        version=VERSION,
        description=DESCRIPTION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        middleware=[
            Middleware(ExchangeMiddleware),
            Middleware(
                BodyMiddleware,
                limit=settings.body_limit_bytes,
                open_paths=PATHS | feedback.ANY_BODY,
                file_paths=frozenset({IMPORTS}),
            ),
        ],
    )
    add_problem_handlers(app)
    _add_routes(app)
    return app


def _add_routes(app: FastAPI) -> None:
    add_accepting_routes(app, PREFIX)
    for part in PARTS:
        app.include_router(part.router, prefix=PREFIX)
    app.include_router(person_page_routes())
    app.include_router(tracking_routes())
    app.include_router(privacy.downloads, prefix=PREFIX)
    app.include_router(contact_files.uploads, prefix=PREFIX)
    app.include_router(health_routes())
    app.include_router(health_routes(), prefix=PREFIX, include_in_schema=False)
    app.include_router(reference_routes(app))
    describe = app.openapi

    def described() -> dict[str, Any]:
        description = describe()
        description["components"]["schemas"] |= problem_schemas()
        return description

    app.openapi = described  # type: ignore[method-assign]  # FastAPI's documented way to extend the description


def _services(resources: Resources, bell: Bell, renderer: Renderer, client: EgressClient) -> Services:
    settings, database = resources.settings, resources.database
    backlog, per_user = Backlog(database, settings.backlog_limit), Rate(settings.user_rate_per_minute)
    classes, house = Classes(database, resources.timing), House(settings.spf_include, settings.bounce_host)
    senders = SenderServices(database, resources.seal, public_only=settings.tenant_servers_public_only)
    intake = Intake(database, resources.timing)
    departures = Departures(settings.mail_from, settings.mail_domains_required)
    checks = LaunchChecks((departures.check_services, departures.check_domain))
    drafts, approvals = Drafts(database, resources.timing), Approvals(database, checks)
    return Services(
        settings=settings,
        timing=resources.timing,
        gate=Gate(database, resources.pepper),
        key_rate=Rate(settings.key_rate_per_minute),
        reception=Reception(database, Accepting(database, bell, backlog), backlog, per_user, classes),
        reading=Reading(database),
        control=Control(database, resources.timing),
        batches=BatchReception(database, bell, backlog, per_user, classes),
        jobs=JobReading(database),
        job_control=JobControl(database, resources.timing, per_user),
        statistics=Statistics(database),
        contacts=Contacts(database),
        receptions=FileReception(database, resources.seal, resources.timing, settings.import_limit_bytes),
        contact_files=ContactFiles(database, resources.seal, resources.timing),
        tags=Tags(database),
        audiences=Audiences(database, resources.pepper),
        saved_audiences=SavedAudiences(database),
        kinds=Kinds(database, classes),
        subscriptions=Subscriptions(database),
        person_pages=PersonPages(database),
        links=resources.links,
        tokens=resources.tokens,
        intake=intake,
        mail_reader=MailReader(resources.returns),
        sources=Sources(database, resources.seal, vendors(client), intake),
        touches=TouchRecorder(database, resources.timing),
        inbox=Inbox(database),
        digests=Digests(database),
        endpoints=Endpoints(database, resources.seal, resources.timing, public_only=settings.webhooks_public_only),
        replays=Replays(database),
        mail_domains=MailDomains(database, resources.seal, resources.timing),
        domain_checks=Checks.asking(settings.dns_servers, house, database, resources.timing),
        templates=Templates(database, RenderingInspector(renderer)),
        rehearsals=Rehearsals(database, renderer, settings.public_url),
        review=Review(database),
        review_rules=Rules(database),
        globals=Globals(database),
        template_sets=TemplateSets(database),
        policies=Policies(database),
        trial=Trial(database, resources.timing, resources.pepper),
        suppressions=Suppressions(database, resources.pepper),
        privacy=Privacy(database, resources.pepper, resources.seal),
        schedules=Schedules(database),
        sequences=Sequences(database),
        enrolments=Enrolments(database),
        reports=Reports(database),
        campaign_overviews=Overviews(database),
        recipients=Recipients(database),
        watching=Watching(database, settings.streams_per_key),
        guard_rails=GuardRails(database),
        sender_services=senders,
        sender_bindings=ServiceBindings(database),
        sender_trial=ServiceTrial(
            senders, resources.seal, resources.timing, public_only=settings.tenant_servers_public_only
        ),
        campaigns=Campaigns(database),
        drafts=drafts,
        approvals=approvals,
        launches=Launches(database, drafts, approvals),
        task_control=TaskControl(database),
        corrections=Corrections(database),
        task_stories=TaskStories(database),
        cursors=Cursors(resources.pepper),
        bell=bell,
    )


def _patience(timing: Timing) -> Patience:
    return Patience(timing.webhook_connect, timing.webhook_answer, timing.webhook_words)

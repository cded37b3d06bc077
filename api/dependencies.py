"""What a route is handed: the services of this process, and the caller whom the key proved."""

from dataclasses import dataclass

from fastapi import Request
from fastapi.openapi.models import HTTPBearer as BearerModel
from fastapi.security.base import SecurityBase

from api.exchange import Exchange
from api.queries import check_query
from postroom.audiences.saved import SavedAudiences
from postroom.audiences.service import Audiences
from postroom.campaigns.planning.approval import Approvals
from postroom.campaigns.planning.drafting import Drafts
from postroom.campaigns.planning.launching import Launches
from postroom.campaigns.service import Campaigns
from postroom.campaigns.steering.control import TaskControl
from postroom.campaigns.steering.correcting import Corrections
from postroom.campaigns.steering.telling import TaskStories
from postroom.contact_files.receiving import FileReception
from postroom.contact_files.service import ContactFiles
from postroom.contacts.service import Contacts
from postroom.contacts.tagging import Tags
from postroom.digests.service import Digests
from postroom.errors import Unauthenticated
from postroom.feedback.intake import Intake
from postroom.feedback.mail import MailReader
from postroom.feedback.sources import Sources
from postroom.guard_rails.service import GuardRails
from postroom.inbox.service import Inbox
from postroom.jobs.control import JobControl
from postroom.jobs.reading import JobReading
from postroom.jobs.reception import BatchReception
from postroom.mail_domains.checking import Checks
from postroom.mail_domains.service import MailDomains
from postroom.notifications.bell import Bell
from postroom.notifications.control import Control
from postroom.notifications.reading import Reading
from postroom.notifications.reception import Reception
from postroom.paging import Cursors
from postroom.person_pages.links import LinkMaker
from postroom.person_pages.service import PersonPages
from postroom.policy.service import Policies
from postroom.policy.trying import Trial
from postroom.privacy.service import Privacy
from postroom.rates import Rate, RateExceeded
from postroom.rendering.rehearsals import Rehearsals
from postroom.reports.overview import Overviews
from postroom.reports.recipients import Recipients
from postroom.reports.service import Reports
from postroom.reports.watching import Watching
from postroom.schedules.service import Schedules
from postroom.sender_services.bindings import ServiceBindings
from postroom.sender_services.service import SenderServices
from postroom.sender_services.trying import ServiceTrial
from postroom.sequences.enrolling import Enrolments
from postroom.sequences.service import Sequences
from postroom.settings import Settings
from postroom.statistics.service import Statistics
from postroom.subscriptions.declaring import Kinds
from postroom.subscriptions.service import Subscriptions
from postroom.suppressions.service import Suppressions
from postroom.templates.globals import Globals
from postroom.templates.review import Review
from postroom.templates.rules import Rules
from postroom.templates.service import Templates
from postroom.templates.sets import TemplateSets
from postroom.tenants.gate import Gate, Identity
from postroom.tenants.keys import Scope
from postroom.timing import Timing
from postroom.tracking.recording import TouchRecorder
from postroom.tracking.tokens import TokenMaker
from postroom.webhooks.replaying import Replays
from postroom.webhooks.service import Endpoints


@dataclass(frozen=True, slots=True)
class Services:
    """Everything the routes call; built once per process by `api/app.py`."""

    settings: Settings
    timing: Timing
    gate: Gate
    key_rate: Rate
    reception: Reception
    reading: Reading
    control: Control
    batches: BatchReception
    jobs: JobReading
    job_control: JobControl
    statistics: Statistics
    contacts: Contacts
    receptions: FileReception
    contact_files: ContactFiles
    tags: Tags
    audiences: Audiences
    saved_audiences: SavedAudiences
    kinds: Kinds
    subscriptions: Subscriptions
    person_pages: PersonPages
    links: LinkMaker
    tokens: TokenMaker
    touches: TouchRecorder
    intake: Intake
    mail_reader: MailReader
    sources: Sources
    inbox: Inbox
    digests: Digests
    endpoints: Endpoints
    replays: Replays
    mail_domains: MailDomains
    domain_checks: Checks
    templates: Templates
    rehearsals: Rehearsals
    review: Review
    review_rules: Rules
    globals: Globals
    template_sets: TemplateSets
    policies: Policies
    trial: Trial
    suppressions: Suppressions
    privacy: Privacy
    schedules: Schedules
    sequences: Sequences
    enrolments: Enrolments
    reports: Reports
    campaign_overviews: Overviews
    recipients: Recipients
    watching: Watching
    guard_rails: GuardRails
    sender_services: SenderServices
    sender_bindings: ServiceBindings
    sender_trial: ServiceTrial
    campaigns: Campaigns
    drafts: Drafts
    approvals: Approvals
    launches: Launches
    task_control: TaskControl
    corrections: Corrections
    task_stories: TaskStories
    cursors: Cursors
    bell: Bell


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what answers."""

    identity: Identity
    services: Services
    exchange: Exchange


class Key(SecurityBase):
    """Lets a request in whose key has the scope, and counts it against the key's rate."""

    def __init__(self, scope: Scope) -> None:
        self.model = BearerModel(description="An API key: `Authorization: Bearer pr_...`")
        self.scheme_name = "ApiKey"
        self._scope = scope

    async def __call__(self, request: Request) -> Caller:
        """Prove the caller.

        Raises:
            Unauthenticated: there is no key, or not a good one.
            Forbidden: the key lacks the scope.
            RateExceeded: the key asked too often.
            RequestValidationError: the query has parameters that nothing reads.
        """
        exchange: Exchange = request.scope["exchange"]
        services: Services = request.app.state.services
        identity = await services.gate.identify(_bearer(request))
        exchange.tenant = identity.tenant_slug
        exchange.standing = standing = services.key_rate.hit(identity.key_id)
        if not standing.allowed:
            raise RateExceeded("This key asked too often.", "rate_limited", standing)
        identity.require(self._scope)
        check_query(request)
        return Caller(identity, services, exchange)


def _bearer(request: Request) -> str:
    scheme, _, text = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.strip():
        raise Unauthenticated("Give an API key: Authorization: Bearer pr_...", code="key_missing")
    return text.strip()

"""Every part of the API, in the order in which its routes are looked at."""

from api.v1.audiences import routes as audiences
from api.v1.campaigns import routes as campaigns
from api.v1.contacts import files as contact_files
from api.v1.contacts import inbox, privacy, tags
from api.v1.contacts import routes as contacts
from api.v1.digests import routes as digests
from api.v1.feedback import routes as feedback
from api.v1.jobs import routes as jobs
from api.v1.mail_domains import routes as mail_domains
from api.v1.notification_types import routes as notification_types
from api.v1.notifications import batch, control
from api.v1.notifications import routes as notifications
from api.v1.policy import routes as policy
from api.v1.preferences import routes as preferences
from api.v1.preferences import subscriptions
from api.v1.reports import overviews as campaign_overviews
from api.v1.reports import routes as task_reports
from api.v1.reports import stats
from api.v1.schedules import routes as schedules
from api.v1.sender_services import bindings as sender_bindings
from api.v1.sender_services import routes as sender_services
from api.v1.sequences import enrolments
from api.v1.sequences import routes as sequences
from api.v1.suppressions import routes as suppressions
from api.v1.tasks import control as task_control
from api.v1.tasks import guard_rails
from api.v1.tasks import recipients as task_recipients
from api.v1.tasks import reviews as task_reviews
from api.v1.tasks import routes as tasks
from api.v1.templates import rehearsals
from api.v1.templates import reviews as template_reviews
from api.v1.templates import routes as templates
from api.v1.templates import sets as template_sets
from api.v1.templates import variables as tenant_variables
from api.v1.webhooks import routes as webhook_endpoints

# What a person wants and how they are tagged is asked for before the contact, whose paths take everything.
PARTS = (
    batch,
    notifications,
    control,
    jobs,
    digests,
    preferences,
    contact_files,
    tags,
    contacts,
    inbox,
    stats,
    webhook_endpoints,
    mail_domains,
    notification_types,
    subscriptions,
    policy,
    suppressions,
    privacy,
    rehearsals,
    templates,
    template_reviews,
    template_sets,
    tenant_variables,
    schedules,
    sequences,
    enrolments,
    task_reports,
    campaign_overviews,
    task_recipients,
    guard_rails,
    audiences,
    sender_services,
    sender_bindings,
    feedback,
    campaigns,
    tasks,
    task_reviews,
    task_control,
)

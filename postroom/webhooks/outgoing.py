"""What the house tells endpoints by itself, written in the transaction in which it happens.

An outgoing message is a notification like any other, carried by the same carriers under the same ledger; its `origin`
keeps it out of the tenant's lists, and nothing is told about it in turn.
"""

from postroom.webhooks.models import TEST_EVENT, EventType

# Writes every row of a common table expression `outgoing` (id, tenant_id, endpoint_id, origin, type, occurred_at, data,
# message_id, replay_id, life): all of a page in one statement.
WRITE = """
asked AS (
    INSERT INTO notifications (id, tenant_id, channel, channels, priority, class, notification_type, origin, due_at,
                               expires_at, fallback_after)
    SELECT id, tenant_id, 'webhook', '{webhook}', 3, 'transactional', left(type, 64), origin, now(), now() + life,
           interval '0'
    FROM outgoing
), worded AS (
    INSERT INTO notification_contents (notification_id, tenant_id) SELECT id, tenant_id FROM outgoing
), told AS (
    INSERT INTO webhook_messages (notification_id, tenant_id, endpoint_id, message_id, type, occurred_at, data,
                                  replay_id)
    SELECT id, tenant_id, endpoint_id, message_id, type, occurred_at, data, replay_id FROM outgoing
)
"""

# What has to be returned of notifications that ended, for `told_of`.
ENDED = (
    "n.id, n.tenant_id, n.state, n.reason, n.origin, n.user_id, n.channel, n.notification_type, n.created_at, "
    "n.ended_at, n.job_id"
)


# Whether anybody wants to be told anything: under a tenant's policy one probe of an index.
HEARD = "EXISTS (SELECT FROM webhook_endpoints WHERE state = 'enabled' AND events <> '{}')"


def told_of(ended: str) -> str:
    """Common table expressions that tell the subscribed endpoints of the rows of `ended` (columns `ENDED`).

    Only worth asking for where `HEARD` holds.
    """
    return f"""
outgoing AS MATERIALIZED (
    SELECT uuidv7() AS id, n.tenant_id, e.id AS endpoint_id, 'event' AS origin, 'notification.' || n.state AS type,
           now() AS occurred_at, NULL::uuid AS message_id, NULL::uuid AS replay_id, e.event_life AS life,
           jsonb_build_object('notification_id', n.id, 'status', n.state, 'reason', n.reason, 'user_id', n.user_id,
               'channel', n.channel, 'notification_type', n.notification_type, 'job_id', n.job_id,
               'created_at', n.created_at, 'ended_at', n.ended_at) AS data
    FROM {ended} n JOIN webhook_endpoints e ON e.tenant_id = n.tenant_id
    WHERE n.origin IN ('request', 'digest') AND e.state = 'enabled' AND 'notification.' || n.state = ANY(e.events)
), {WRITE}"""


# An endpoint that nobody should call any more, unless it has moved meanwhile, and word of it to the others.
DISABLE = f"""
WITH disabled AS (
    UPDATE webhook_endpoints SET state = 'disabled', reason = %(reason)s, updated_at = now()
    WHERE id = %(id)s AND state = 'enabled' AND url = %(url)s
    RETURNING id, tenant_id, url
), outgoing AS MATERIALIZED (
    SELECT uuidv7() AS id, e.tenant_id, e.id AS endpoint_id, 'event' AS origin,
           '{EventType.ENDPOINT_DISABLED}' AS type, now() AS occurred_at, NULL::uuid AS message_id,
           NULL::uuid AS replay_id, e.event_life AS life,
           jsonb_build_object('endpoint_id', d.id, 'url', d.url, 'reason', %(reason)s::text) AS data
    FROM disabled d JOIN webhook_endpoints e ON e.tenant_id = d.tenant_id AND e.id <> d.id
    WHERE e.state = 'enabled' AND '{EventType.ENDPOINT_DISABLED}' = ANY(e.events)
), {WRITE}
SELECT id FROM disabled
"""

# What happened to something of the tenant's own, told to those of its endpoints that subscribed to it.
ANNOUNCE = f"""
WITH outgoing AS MATERIALIZED (
    SELECT uuidv7() AS id, e.tenant_id, e.id AS endpoint_id, 'event' AS origin, %(type)s::text AS type,
           now() AS occurred_at, NULL::uuid AS message_id, NULL::uuid AS replay_id, e.event_life AS life,
           %(data)s::jsonb AS data
    FROM webhook_endpoints e
    WHERE e.tenant_id = current_tenant() AND e.state = 'enabled' AND %(type)s::text = ANY(e.events)
), {WRITE}
SELECT count(*)::integer AS told FROM outgoing
"""

TEST = f"""
WITH outgoing AS MATERIALIZED (
    SELECT %(notification_id)s::uuid AS id, e.tenant_id, e.id AS endpoint_id, 'test' AS origin,
           '{TEST_EVENT}' AS type, now() AS occurred_at, NULL::uuid AS message_id, NULL::uuid AS replay_id,
           e.event_life AS life, jsonb_build_object('endpoint_id', e.id) AS data
    FROM webhook_endpoints e WHERE e.id = %(id)s
), {WRITE}
SELECT now() AS accepted_at FROM outgoing
"""

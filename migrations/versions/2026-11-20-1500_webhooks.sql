-- Where a tenant wants to be called. The secrets are sealed and bound to tenant and row; the old one signs beside the
-- new one until it ends.
CREATE TABLE webhook_endpoints (
    id                 uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id          uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    url                text NOT NULL,
    description        text,
    events             text[] NOT NULL DEFAULT '{}',
    rate_per_minute    integer NOT NULL CHECK (rate_per_minute BETWEEN 1 AND 60000),
    state              text NOT NULL DEFAULT 'enabled' CHECK (state IN ('enabled', 'disabled')),
    reason             text,
    secret             bytea NOT NULL,
    secret_key_id      text NOT NULL,
    old_secret         bytea,
    old_secret_key_id  text,
    old_secret_until   timestamptz,
    failing_since      timestamptz,
    event_life         interval NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, url)
);
-- ;;
-- What a notification tells an endpoint when it is not a message of the tenant's own: an event, a test, a replay.
-- message_id is the delivery whose webhook-id it bears; null means its own.
CREATE TABLE webhook_messages (
    notification_id  uuid PRIMARY KEY REFERENCES notifications ON DELETE CASCADE,
    tenant_id        uuid NOT NULL,
    endpoint_id      uuid NOT NULL,
    message_id       uuid,
    type             text NOT NULL,
    occurred_at      timestamptz NOT NULL DEFAULT now(),
    data             jsonb NOT NULL,
    replay_id        uuid
);
CREATE INDEX webhook_messages_replay ON webhook_messages (replay_id) WHERE replay_id IS NOT NULL;
-- ;;
-- Who asked for a notification: the tenant (request), or the house on its behalf (event, test, replay).
ALTER TABLE notifications ADD COLUMN origin text NOT NULL DEFAULT 'request';
ALTER TABLE delivery_attempts ADD COLUMN latency_ms integer;
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['webhook_endpoints', 'webhook_messages'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON webhook_endpoints TO postroom_app, postroom_system;
GRANT SELECT, INSERT ON webhook_messages TO postroom_app, postroom_system;

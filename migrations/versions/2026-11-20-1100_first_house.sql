-- Roles belong to the cluster, not to the database: make them only when missing.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['postroom_app', 'postroom_system', 'postroom_ledger', 'postroom_accept'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', name);
        END IF;
        IF NOT pg_has_role(current_user, name, 'SET') THEN
            EXECUTE format('GRANT %I TO current_user', name);
        END IF;
        EXECUTE format('GRANT USAGE ON SCHEMA public TO %I', name);
    END LOOP;
END $$;
-- ;;
CREATE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql STABLE PARALLEL SAFE
    RETURN nullif(current_setting('app.tenant_id', true), '')::uuid;
-- ;;
CREATE TABLE tenants (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    slug        text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{0,62}$'),
    name        text NOT NULL,
    mail_from   text,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name        text NOT NULL,
    hint        text NOT NULL,
    key_hash    bytea NOT NULL UNIQUE,
    scopes      text[] NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    expires_at  timestamptz,
    revoked_at  timestamptz
);
CREATE INDEX api_keys_tenant ON api_keys (tenant_id);

-- One provider of one tenant; the secret is sealed with the key that secret_key_id names, bound to tenant and row.
CREATE TABLE providers (
    id             uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id      uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    channel        text NOT NULL,
    position       integer NOT NULL,
    name           text NOT NULL,
    url            text NOT NULL,
    secret         bytea,
    secret_key_id  text,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, channel, name)
);

CREATE TABLE contacts (
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id     text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 64),
    addresses   jsonb NOT NULL DEFAULT '{}',
    time_zone   text,
    language    text,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
);

CREATE TABLE suppressions (
    tenant_id     uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    channel       text NOT NULL,
    address_hash  bytea NOT NULL,
    reason        text NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, channel, address_hash)
);
-- ;;
-- A carrier is the workflow that carries one notification or a page of them.
CREATE TABLE carriers (
    id            uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id     uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    workflow_id   text NOT NULL,
    priority      smallint NOT NULL,
    channel       text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('alone', 'page', 'wake')),
    wake_minute   timestamptz,
    size          integer NOT NULL,
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    owed          boolean NOT NULL DEFAULT true,
    pokes         integer NOT NULL DEFAULT 0,
    next_poke_at  timestamptz NOT NULL DEFAULT now(),
    wake_by       timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    closed_at     timestamptz
) WITH (fillfactor = 80);
CREATE INDEX carriers_poke ON carriers (next_poke_at) WHERE state = 'open' AND owed;
CREATE INDEX carriers_watch ON carriers (wake_by) WHERE state = 'open' AND NOT owed;
CREATE INDEX carriers_wake ON carriers (tenant_id, priority, channel, wake_minute) WHERE state = 'open' AND kind = 'wake';

CREATE TABLE notifications (
    id                 uuid PRIMARY KEY,
    tenant_id          uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id            text CHECK (char_length(user_id) BETWEEN 1 AND 64),
    channel            text NOT NULL,
    channels           text[] NOT NULL,
    strategy           text NOT NULL DEFAULT 'first' CHECK (strategy IN ('first', 'all')),
    priority           smallint NOT NULL CHECK (priority BETWEEN 1 AND 4),
    class              text NOT NULL CHECK (class IN ('security', 'transactional', 'marketing')),
    notification_type  text,
    state              text NOT NULL DEFAULT 'open'
                       CHECK (state IN ('open', 'sent', 'skipped', 'failed', 'expired', 'cancelled')),
    reason             text,
    ambiguous          boolean NOT NULL DEFAULT false,
    cancel_requested   boolean NOT NULL DEFAULT false,
    scheduled_at       timestamptz,
    due_at             timestamptz NOT NULL,
    send_now           boolean NOT NULL DEFAULT false,
    expires_at         timestamptz NOT NULL,
    fallback_after     interval NOT NULL,
    carrier_id         uuid REFERENCES carriers,
    job_id             uuid,
    api_key_id         uuid,
    created_at         timestamptz NOT NULL DEFAULT now(),
    ended_at           timestamptz
) WITH (fillfactor = 80);
CREATE INDEX notifications_relay ON notifications (priority, tenant_id, channel, due_at, id)
    WHERE state = 'open' AND carrier_id IS NULL;
CREATE INDEX notifications_carrier ON notifications (carrier_id) WHERE carrier_id IS NOT NULL;
-- The second condition is always true; it keeps a planner whose statistics lag behind a burst from walking all open rows
-- to find the few of one carrier.
CREATE INDEX notifications_expiry ON notifications (expires_at) WHERE state = 'open' AND expires_at IS NOT NULL;
CREATE INDEX notifications_listed ON notifications (tenant_id, id DESC);
CREATE INDEX notifications_user ON notifications (tenant_id, user_id, id DESC) WHERE user_id IS NOT NULL;

CREATE TABLE notification_contents (
    notification_id  uuid PRIMARY KEY REFERENCES notifications ON DELETE CASCADE,
    tenant_id        uuid NOT NULL,
    title            text,
    body_text        text,
    body_html        text,
    metadata         jsonb NOT NULL DEFAULT '{}'
);

-- Bytes are kept once per tenant and content.
CREATE TABLE blobs (
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    sha256      bytea NOT NULL CHECK (octet_length(sha256) = 32),
    content     bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, sha256)
);
ALTER TABLE blobs ALTER COLUMN content SET STORAGE EXTERNAL;

CREATE TABLE notification_attachments (
    notification_id  uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    position         integer NOT NULL,
    tenant_id        uuid NOT NULL,
    sha256           bytea NOT NULL,
    filename         text NOT NULL,
    content_type     text NOT NULL,
    content_id       text,
    size             integer NOT NULL,
    PRIMARY KEY (notification_id, position),
    FOREIGN KEY (tenant_id, sha256) REFERENCES blobs
);

CREATE TABLE idempotency_keys (
    tenant_id        uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    key              text NOT NULL CHECK (char_length(key) BETWEEN 1 AND 255),
    request_hash     bytea NOT NULL,
    notification_id  uuid NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);
-- ;;
-- The ledger: one row is one logical message to one address over one channel.
CREATE TABLE deliveries (
    id               uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id        uuid NOT NULL,
    notification_id  uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    position         smallint NOT NULL,
    channel          text NOT NULL,
    address          text,
    address_hash     bytea,
    state            text NOT NULL DEFAULT 'pending' CHECK (state IN (
                         'pending', 'claimed', 'handing_off', 'deferred', 'unknown', 'held',
                         'accepted', 'rejected', 'skipped', 'failed', 'expired', 'cancelled')),
    reason           text,
    token            uuid,
    lease_until      timestamptz,
    not_before       timestamptz NOT NULL DEFAULT now(),
    expires_at       timestamptz NOT NULL,
    attempt          integer NOT NULL DEFAULT 0,
    plan_start       integer NOT NULL DEFAULT 0,
    resends          integer NOT NULL DEFAULT 0,
    marked_at        timestamptz,
    hold_until       timestamptz,
    provider         text,
    late             boolean NOT NULL DEFAULT false,
    created_at       timestamptz NOT NULL DEFAULT now(),
    ended_at         timestamptz,
    UNIQUE (notification_id, position)
) WITH (fillfactor = 70);
CREATE INDEX deliveries_handing_off ON deliveries (lease_until) WHERE state = 'handing_off';
CREATE INDEX deliveries_late ON deliveries (id) WHERE late;

-- The bytes of a message, written with its first mark and never again.
CREATE TABLE delivery_messages (
    delivery_id  uuid PRIMARY KEY REFERENCES deliveries ON DELETE CASCADE,
    tenant_id    uuid NOT NULL,
    message      bytea NOT NULL
);
ALTER TABLE delivery_messages ALTER COLUMN message SET STORAGE EXTERNAL;

-- Append-only: what each attempt did, in the order it happened.
CREATE TABLE delivery_attempts (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id  uuid NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    tenant_id    uuid NOT NULL,
    attempt      integer NOT NULL,
    event        text NOT NULL CHECK (event IN ('marked', 'accepted', 'deferred', 'rejected', 'unknown', 'evidence')),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    provider     text,
    worker       text,
    phase        text,
    code         integer,
    enhanced     text,
    detail       text
);
CREATE INDEX delivery_attempts_delivery ON delivery_attempts (delivery_id, id);

-- Append-only: decisions and control actions that no attempt row tells.
CREATE TABLE notification_events (
    id               bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    notification_id  uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    tenant_id        uuid NOT NULL,
    at               timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind             text NOT NULL,
    reason           text,
    detail           jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX notification_events_notification ON notification_events (notification_id, id);

CREATE TABLE inbox_messages (
    id                 uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id          uuid NOT NULL,
    user_id            text NOT NULL,
    notification_id    uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    delivery_id        uuid NOT NULL UNIQUE REFERENCES deliveries ON DELETE CASCADE,
    notification_type  text,
    title              text,
    body_text          text,
    body_html          text,
    created_at         timestamptz NOT NULL DEFAULT now(),
    read_at            timestamptz
);
CREATE INDEX inbox_messages_person ON inbox_messages (tenant_id, user_id, id DESC);
CREATE INDEX inbox_messages_unread ON inbox_messages (tenant_id, user_id) WHERE read_at IS NULL;
-- ;;
-- Row-level security: the application role sees the tenant it names, the system role sees all, others what is granted.
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['api_keys', 'providers', 'contacts', 'suppressions', 'carriers', 'notifications',
        'notification_contents', 'blobs', 'notification_attachments', 'idempotency_keys', 'deliveries',
        'delivery_messages', 'delivery_attempts', 'notification_events', 'inbox_messages'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants FOR SELECT TO postroom_app USING (id = current_tenant());
CREATE POLICY everything ON tenants TO postroom_system USING (true) WITH CHECK (true);

-- What happened is never rewritten: no UPDATE or DELETE on the append-only tables for anyone but the owner.
GRANT SELECT ON tenants, carriers, api_keys TO postroom_app;
GRANT UPDATE (owed, next_poke_at, pokes, wake_by, state, closed_at) ON carriers TO postroom_app;
GRANT SELECT, INSERT, UPDATE ON contacts, notifications, deliveries, inbox_messages TO postroom_app;
GRANT SELECT, INSERT ON notification_contents, blobs, notification_attachments, idempotency_keys,
    delivery_messages, delivery_attempts, notification_events, providers, suppressions TO postroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON tenants, api_keys, providers, contacts, suppressions, carriers, notifications,
    notification_contents, blobs, notification_attachments, idempotency_keys, deliveries, delivery_messages,
    inbox_messages TO postroom_system;
GRANT SELECT, INSERT ON delivery_attempts, notification_events TO postroom_system;

-- Mark and record: one statement for all tenants, and nothing else.
GRANT SELECT ON deliveries TO postroom_ledger;
GRANT SELECT (tenant_id, channel, address_hash) ON suppressions TO postroom_ledger;
GRANT UPDATE (state, reason, token, lease_until, not_before, attempt, marked_at, provider, late, ended_at)
    ON deliveries TO postroom_ledger;
GRANT INSERT ON delivery_attempts, delivery_messages TO postroom_ledger;
GRANT SELECT (delivery_id) ON delivery_messages TO postroom_ledger;
CREATE POLICY ledger ON deliveries TO postroom_ledger USING (true) WITH CHECK (true);
CREATE POLICY ledger ON suppressions FOR SELECT TO postroom_ledger USING (true);
CREATE POLICY ledger ON delivery_attempts FOR INSERT TO postroom_ledger WITH CHECK (true);
CREATE POLICY ledger ON delivery_messages TO postroom_ledger USING (true) WITH CHECK (true);

-- Accepting groups the requests of all tenants into one insert; the tenant comes from the authenticated key.
GRANT INSERT ON notifications, notification_contents, notification_attachments, blobs, idempotency_keys
    TO postroom_accept;
GRANT SELECT (tenant_id, key, notification_id) ON idempotency_keys TO postroom_accept;
GRANT SELECT (tenant_id, sha256) ON blobs TO postroom_accept;
CREATE POLICY accept ON notifications FOR INSERT TO postroom_accept WITH CHECK (state = 'open' AND carrier_id IS NULL);
CREATE POLICY accept ON notification_contents FOR INSERT TO postroom_accept WITH CHECK (true);
CREATE POLICY accept ON notification_attachments FOR INSERT TO postroom_accept WITH CHECK (true);
CREATE POLICY accept ON blobs TO postroom_accept USING (true) WITH CHECK (true);
CREATE POLICY accept ON idempotency_keys TO postroom_accept USING (true) WITH CHECK (true);

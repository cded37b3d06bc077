-- A way out of the house for bulk mail: where it leads, what it may take in how long, and how it fares. The password is
-- sealed with the key that secret_key_id names, bound to tenant and row.
-- Health: `errors` in a row freeze it; from `probe_at` on one message at a time may try it, whoever holds probe_token.
CREATE TABLE sender_services (
    id               uuid PRIMARY KEY,
    tenant_id        uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name             text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 120),
    kind             text NOT NULL CHECK (kind IN ('smtp', 'http_mail')),
    vendor           text CHECK ((vendor IS NULL) = (kind = 'smtp')),
    url              text NOT NULL,
    account          text,
    secret           bytea,
    secret_key_id    text,
    from_domains     text[] NOT NULL DEFAULT '{}',
    weight           integer NOT NULL DEFAULT 10 CHECK (weight BETWEEN 1 AND 100),
    connections      integer CHECK (connections > 0),
    per_second       integer CHECK (per_second > 0),
    per_minute       integer CHECK (per_minute > 0),
    per_hour         integer CHECK (per_hour > 0),
    per_day          integer CHECK (per_day > 0),
    time_zone        text NOT NULL DEFAULT 'UTC',
    warm_up_start    integer CHECK (warm_up_start > 0),
    warm_up_factor   double precision CHECK (warm_up_factor > 1),
    warm_up_since    timestamptz,
    error_threshold  integer NOT NULL DEFAULT 5 CHECK (error_threshold > 0),
    alert_user_ids   text[] NOT NULL DEFAULT '{}',
    alert_addresses  text[] NOT NULL DEFAULT '{}',
    status           text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'frozen')),
    frozen_by        text CHECK ((frozen_by IS NULL) = (status = 'active') AND frozen_by IN ('operator', 'health')),
    reason           text,
    frozen_at        timestamptz,
    errors           integer NOT NULL DEFAULT 0,
    last_error       text,
    last_error_at    timestamptz,
    last_success_at  timestamptz,
    pause            interval,
    probe_at         timestamptz,
    probe_token      uuid,
    probe_until      timestamptz,
    created_by       uuid NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CHECK (num_nulls(warm_up_start, warm_up_factor, warm_up_since) IN (0, 3)),
    UNIQUE (tenant_id, name)
) WITH (fillfactor = 50);
CREATE INDEX sender_services_probe ON sender_services (probe_at) WHERE status = 'frozen' AND frozen_by = 'health';

-- A service that is bound to keys serves these only; one without serves every key of its tenant.
CREATE TABLE sender_service_bindings (
    service_id  uuid NOT NULL REFERENCES sender_services ON DELETE CASCADE,
    api_key_id  uuid NOT NULL REFERENCES api_keys ON DELETE CASCADE,
    tenant_id   uuid NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (service_id, api_key_id)
);
CREATE INDEX sender_service_bindings_key ON sender_service_bindings (api_key_id);

CREATE INDEX campaign_tasks_all_frozen ON campaign_tasks (tenant_id)
    WHERE state = 'paused' AND reason = 'all_services_frozen';
-- ;;
-- Windows of an hour too; a day is one of the provider's own zone.
ALTER TABLE provider_usage DROP CONSTRAINT provider_usage_kind_check;
ALTER TABLE provider_usage ADD CONSTRAINT provider_usage_kind_check
    CHECK (kind IN ('second', 'minute', 'hour', 'day'));
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sender_services', 'sender_service_bindings'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON sender_services TO postroom_app;
GRANT SELECT, INSERT, DELETE ON sender_service_bindings TO postroom_app;
GRANT SELECT ON sender_services, sender_service_bindings TO postroom_system;
-- The mark asks whether an operator froze the service it goes to.
GRANT SELECT (id, frozen_by) ON sender_services TO postroom_ledger;
CREATE POLICY ledger ON sender_services FOR SELECT TO postroom_ledger USING (true);
-- Whoever is erased is told nothing any more.
GRANT UPDATE (alert_user_ids, alert_addresses) ON sender_services TO postroom_system;

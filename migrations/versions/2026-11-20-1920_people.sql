-- paused_until: nothing but security and what cannot wait before then; infinity until the person says otherwise.
ALTER TABLE contacts ADD COLUMN attributes jsonb NOT NULL DEFAULT '{}';
ALTER TABLE contacts ADD COLUMN consent jsonb NOT NULL DEFAULT '{}';
ALTER TABLE contacts ADD COLUMN paused_until timestamptz;
GRANT DELETE ON contacts TO postroom_app;
-- ;;
CREATE TABLE notification_types (
    tenant_id    uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    group_name   text NOT NULL CHECK (char_length(group_name) BETWEEN 1 AND 64),
    class        text NOT NULL CHECK (class IN ('security', 'transactional', 'marketing')),
    description  text,
    defaults     jsonb NOT NULL DEFAULT '{}',
    digest_template text CHECK (char_length(digest_template) BETWEEN 1 AND 64),
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)
);

-- What a person wants to hear of, over which channel and how often. '*' stands for every type, and for every channel;
-- the most particular row decides.
CREATE TABLE preferences (
    tenant_id          uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id            text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 64),
    notification_type  text NOT NULL,
    channel            text NOT NULL,
    enabled            boolean NOT NULL,
    frequency          text NOT NULL DEFAULT 'immediate'
                       CHECK (frequency IN ('immediate', 'hourly', 'daily', 'weekly')),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id, notification_type, channel)
);

-- Who changed what, and from what; by the API key that did, or null: by the person, with the link in a mail. Appended
-- to and never changed; a row goes only with the person, when they are erased.
CREATE TABLE preference_events (
    id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id          uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id            text NOT NULL,
    at                 timestamptz NOT NULL DEFAULT now(),
    api_key_id         uuid,
    subject            text NOT NULL CHECK (subject IN ('preference', 'pause', 'consent', 'quiet_hours')),
    notification_type  text,
    channel            text,
    before             jsonb,
    after              jsonb
);
CREATE INDEX preference_events_person ON preference_events (tenant_id, user_id, id);
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['notification_types', 'preferences', 'preference_events'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON notification_types, preferences TO postroom_app, postroom_system;
GRANT SELECT, INSERT, DELETE ON preference_events TO postroom_app, postroom_system;

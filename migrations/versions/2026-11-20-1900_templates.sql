-- What a tenant decided for all its messages, one row for each subject: variables, review, policy.
CREATE TABLE tenant_settings (
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name        text NOT NULL,
    value       jsonb NOT NULL,
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)
);
-- ;;
CREATE TABLE templates (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    channel     text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    deleted_at  timestamptz
);
CREATE UNIQUE INDEX templates_name ON templates (tenant_id, name) WHERE deleted_at IS NULL;
CREATE INDEX templates_listed ON templates (tenant_id, id DESC);
-- Most tenants have few templates, so the list of a tenant would look as good a way to a name as the index of names,
-- and for one with thousands it is not: the planner shall think of tenants as of a few large ones.
ALTER TABLE templates ALTER COLUMN tenant_id SET (n_distinct = 50);

-- A version's content never changes; what was approved is known by its hash.
CREATE TABLE template_versions (
    template_id    uuid NOT NULL REFERENCES templates ON DELETE CASCADE,
    version        integer NOT NULL CHECK (version > 0),
    tenant_id      uuid NOT NULL,
    state          text NOT NULL DEFAULT 'draft'
                   CHECK (state IN ('draft', 'in_review', 'approved', 'rejected', 'retired')),
    content        jsonb NOT NULL,
    variables      jsonb NOT NULL,  -- what the content declares, to be read without the words
    content_hash   bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    author         uuid,
    approved_hash  bytea,
    approved_by    uuid,
    approved_at    timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (template_id, version),
    CONSTRAINT approval_is_of_this_content CHECK (
        state <> 'approved' OR approved_hash IS NOT DISTINCT FROM content_hash)
);

-- Append-only: who did what with a template; without a template, with the tenant's rules of review.
CREATE TABLE template_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    template_id  uuid REFERENCES templates ON DELETE CASCADE,
    version      integer,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind         text NOT NULL,
    api_key_id   uuid,
    detail       jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX template_events_template ON template_events (template_id, id);
CREATE INDEX template_events_rules ON template_events (tenant_id, id) WHERE template_id IS NULL;

-- Templates in an order: to take turns, or to follow one another.
CREATE TABLE template_sets (
    id          uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    entries     jsonb NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, name)
);
-- ;;
-- What a notification says: its own words, or a version of a template with variables and the language asked for.
ALTER TABLE notification_contents ADD COLUMN template_id uuid;
ALTER TABLE notification_contents ADD COLUMN template_version integer;
ALTER TABLE notification_contents ADD COLUMN language text;
ALTER TABLE notification_contents ADD COLUMN variables jsonb;
CREATE INDEX notification_contents_template ON notification_contents (template_id, template_version)
    WHERE template_id IS NOT NULL;
-- What a delivery said in the end.
ALTER TABLE deliveries ADD COLUMN template_variant text;
ALTER TABLE deliveries ADD COLUMN language text;
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['tenant_settings', 'templates', 'template_versions', 'template_events',
                                'template_sets'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON tenant_settings, template_sets TO postroom_app, postroom_system;
GRANT SELECT, INSERT, UPDATE (name, updated_at, deleted_at) ON templates TO postroom_app, postroom_system;
GRANT DELETE ON template_sets TO postroom_app;
GRANT SELECT, INSERT ON template_versions, template_events TO postroom_app, postroom_system;
GRANT UPDATE (state, approved_hash, approved_by, approved_at) ON template_versions TO postroom_app, postroom_system;

-- What comes back. That a touch was not the person's may show only when the next one comes.
GRANT UPDATE (machine) ON delivery_touches TO postroom_system;

-- Bounces that do not suppress at once are counted for an address over all messages to it, by its keyed hash.
ALTER TABLE delivery_feedback ADD COLUMN address_hash bytea;
CREATE INDEX delivery_feedback_bounces ON delivery_feedback (tenant_id, address_hash, at) WHERE kind = 'bounced';

-- Where a tenant's providers tell what became of its mail: one secret for each of them.
CREATE TABLE feedback_sources (
    id             uuid PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    vendor         text NOT NULL,
    name           text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 120),
    secret         bytea NOT NULL,
    secret_key_id  text NOT NULL,
    known          bigint NOT NULL DEFAULT 0,
    ignored        bigint NOT NULL DEFAULT 0,
    heard_at       timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX feedback_sources_listed ON feedback_sources (tenant_id, id DESC);
ALTER TABLE feedback_sources ENABLE ROW LEVEL SECURITY;
ALTER TABLE feedback_sources FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON feedback_sources TO postroom_app USING (tenant_id = current_tenant())
    WITH CHECK (tenant_id = current_tenant());
CREATE POLICY everything ON feedback_sources TO postroom_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, DELETE, UPDATE (known, ignored, heard_at) ON feedback_sources TO postroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON feedback_sources TO postroom_system;

-- Whoever records that there is no such mailbox suppresses it in the same statement.
GRANT INSERT (tenant_id, channel, address_hash, scope, reason, source) ON suppressions TO postroom_ledger;
CREATE POLICY refused ON suppressions FOR INSERT TO postroom_ledger
    WITH CHECK (scope = 'all' AND reason = 'bounced' AND source = 'feedback');

-- A person's own quiet hours; null means the tenant's.
ALTER TABLE contacts ADD COLUMN quiet_hours jsonb;
-- ;;
-- What a delivery may be suppressed under (all, its class, its type, its group), asked by the mark; and when it took its
-- place under the caps.
ALTER TABLE deliveries ADD COLUMN scopes text[];
ALTER TABLE deliveries ADD COLUMN counted_at timestamptz;
-- ;;
-- When a person was last reached and by which delivery, for as far back and as many times as a cap looks, and which
-- deliveries wait for a place: one row is one lock.
CREATE TABLE contact_usage (
    tenant_id  uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id    text NOT NULL,
    channel    text NOT NULL,
    class      text NOT NULL,
    sent_at    timestamptz[] NOT NULL DEFAULT '{}',
    held_by    uuid[] NOT NULL DEFAULT '{}',
    waiting    uuid[] NOT NULL DEFAULT '{}',
    PRIMARY KEY (tenant_id, user_id, channel, class),
    CHECK (cardinality(sent_at) = cardinality(held_by))
) WITH (fillfactor = 70);
-- ;;
ALTER TABLE contact_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contact_usage TO postroom_app USING (tenant_id = current_tenant())
    WITH CHECK (tenant_id = current_tenant());
CREATE POLICY everything ON contact_usage TO postroom_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON contact_usage TO postroom_app, postroom_system;

-- How a job stands is counted from its rows; here is only what they do not say.
CREATE TABLE jobs (
    id                   uuid PRIMARY KEY,
    tenant_id            uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    api_key_id           uuid,
    kind                 text NOT NULL CHECK (kind IN ('batch')),
    total                integer NOT NULL CHECK (total > 0),
    cancel_requested_at  timestamptz,
    created_at           timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX jobs_listed ON jobs (tenant_id, id DESC);

-- No foreign key: a job is written by the statement that writes its notifications, and neither is ever deleted alone.
CREATE INDEX notifications_job ON notifications (job_id, id) WHERE job_id IS NOT NULL;
-- ;;
-- A key names what its request made: one notification, or a job.
ALTER TABLE idempotency_keys ADD COLUMN job_id uuid;
ALTER TABLE idempotency_keys ALTER COLUMN notification_id DROP NOT NULL;
ALTER TABLE idempotency_keys ADD CONSTRAINT idempotency_keys_names_one
    CHECK (num_nonnulls(notification_id, job_id) = 1);
-- ;;
ALTER TABLE jobs ENABLE ROW LEVEL SECURITY;
ALTER TABLE jobs FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON jobs TO postroom_app USING (tenant_id = current_tenant())
    WITH CHECK (tenant_id = current_tenant());
CREATE POLICY everything ON jobs TO postroom_system USING (true) WITH CHECK (true);

GRANT SELECT, INSERT ON jobs TO postroom_app;
GRANT UPDATE (cancel_requested_at) ON jobs TO postroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON jobs TO postroom_system;

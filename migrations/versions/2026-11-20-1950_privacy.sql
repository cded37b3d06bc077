-- A suppression concerns everything, or one class, type or group: 'all', 'marketing', 'type:digest', 'group:billing'.
-- The note is the tenant's own; it goes when the person behind the address is erased.
ALTER TABLE suppressions ADD COLUMN scope text NOT NULL DEFAULT 'all';
ALTER TABLE suppressions ADD COLUMN id uuid NOT NULL DEFAULT uuidv7();
ALTER TABLE suppressions ADD COLUMN source text NOT NULL DEFAULT 'operator';
ALTER TABLE suppressions ADD COLUMN note text;
ALTER TABLE suppressions DROP CONSTRAINT suppressions_pkey;
ALTER TABLE suppressions ADD PRIMARY KEY (tenant_id, channel, address_hash, scope);
CREATE UNIQUE INDEX suppressions_listed ON suppressions (tenant_id, id DESC);
GRANT DELETE ON suppressions TO postroom_app;
GRANT SELECT (scope) ON suppressions TO postroom_ledger;
-- ;;
ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE jobs ADD CHECK (kind IN ('batch', 'export', 'erasure'));
-- ;;
-- What is being done for or to one person. The rows that name them are the record of what is left to do; here is where
-- the walk through them stands. The person is named only while there is something to do for them.
CREATE TABLE person_jobs (
    job_id       uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    kind         text NOT NULL CHECK (kind IN ('export', 'erasure')),
    user_id      text,
    person_hash  bytea NOT NULL,
    state        text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'done', 'overtaken')),
    done         integer NOT NULL DEFAULT 0,
    walked_to    uuid,
    chunks       integer NOT NULL DEFAULT 0,
    next_at      timestamptz NOT NULL DEFAULT now(),
    ended_at     timestamptz,
    expires_at   timestamptz
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX person_jobs_open ON person_jobs (tenant_id, kind, user_id) WHERE state = 'open';
CREATE INDEX person_jobs_person ON person_jobs (tenant_id, user_id) WHERE user_id IS NOT NULL;
CREATE INDEX person_jobs_next ON person_jobs (next_at) WHERE state = 'open';
CREATE INDEX person_jobs_expiry ON person_jobs (expires_at) WHERE expires_at IS NOT NULL;

-- What an export found, piece by piece, sealed for its job. One text when they are put together.
CREATE TABLE job_results (
    job_id     uuid NOT NULL REFERENCES person_jobs ON DELETE CASCADE,
    position   integer NOT NULL,
    tenant_id  uuid NOT NULL,
    key_id     text NOT NULL,
    content    bytea NOT NULL,
    PRIMARY KEY (job_id, position)
);
ALTER TABLE job_results ALTER COLUMN content SET STORAGE EXTERNAL;

-- Append-only: who asked for, made, fetched and removed what is known of a person, without naming them.
CREATE TABLE person_events (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    job_id       uuid NOT NULL,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind         text NOT NULL,
    api_key_id   uuid,
    person_hash  bytea NOT NULL
);
CREATE INDEX person_events_job ON person_events (job_id, id);
-- ;;
-- How an erasure finds what tells of a person, and whether bytes are still somebody's.
CREATE INDEX webhook_messages_person ON webhook_messages (tenant_id, (data ->> 'user_id'), notification_id)
    WHERE data ->> 'user_id' IS NOT NULL;
CREATE INDEX notification_attachments_blob ON notification_attachments (tenant_id, sha256);
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['person_jobs', 'job_results', 'person_events'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT ON person_jobs, person_events TO postroom_app;
GRANT SELECT ON job_results TO postroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON person_jobs, job_results TO postroom_system;
GRANT SELECT, INSERT ON person_events TO postroom_system;

-- Erasing a person takes words out of what is otherwise never rewritten, and no row away.
GRANT UPDATE (detail) ON delivery_attempts, notification_events TO postroom_system;
GRANT UPDATE (data) ON webhook_messages TO postroom_system;

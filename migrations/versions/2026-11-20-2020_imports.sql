ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE jobs ADD CHECK (kind IN ('batch', 'export', 'erasure', 'import', 'contacts_export'));
-- An export of a tenant without contacts, or of a tag that nobody has, has nobody in it.
ALTER TABLE jobs DROP CONSTRAINT jobs_total_check;
ALTER TABLE jobs ADD CHECK (total >= 0);
-- ;;
-- A file of contacts that is being read, or written. `position` is the next piece of it; a piece, what it did and how far
-- that was are one transaction. While it is received there is no job yet.
CREATE TABLE contact_files (
    job_id        uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    api_key_id    uuid,
    kind          text NOT NULL CHECK (kind IN ('import', 'contacts_export')),
    state         text NOT NULL CHECK (state IN ('receiving', 'open', 'done', 'cancelled')),
    reason        text,
    terms         jsonb NOT NULL,
    position      integer NOT NULL DEFAULT 0,
    pieces        integer NOT NULL DEFAULT 0,
    reached       text NOT NULL DEFAULT '',
    counts        jsonb NOT NULL DEFAULT '{}',
    pokes         integer NOT NULL DEFAULT 0,
    next_poke_at  timestamptz,
    received_at   timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    expires_at    timestamptz
) WITH (fillfactor = 50);
CREATE INDEX contact_files_poke ON contact_files (next_poke_at) WHERE state = 'open';
CREATE INDEX contact_files_expiry ON contact_files (expires_at) WHERE expires_at IS NOT NULL;
CREATE INDEX contact_files_cancelled ON contact_files (job_id) WHERE state = 'cancelled' AND pieces > 0;
CREATE INDEX contact_files_tenant ON contact_files (tenant_id, kind);

-- Pieces of a file, sealed for their job: whole records of an import until they are written, the text of an export until
-- it expires.
CREATE TABLE contact_file_pieces (
    job_id     uuid NOT NULL REFERENCES contact_files ON DELETE CASCADE,
    position   integer NOT NULL,
    tenant_id  uuid NOT NULL,
    key_id     text NOT NULL,
    content    bytea NOT NULL,
    PRIMARY KEY (job_id, position)
);
ALTER TABLE contact_file_pieces ALTER COLUMN content SET STORAGE EXTERNAL;

-- Whom an import has met, by a keyed hash, and in which line: the later of two lines stands. Gone when it has ended.
CREATE TABLE contact_file_people (
    job_id       uuid NOT NULL REFERENCES contact_files ON DELETE CASCADE,
    person_hash  bytea NOT NULL,
    tenant_id    uuid NOT NULL,
    line         integer NOT NULL,
    outcome      text NOT NULL,
    PRIMARY KEY (job_id, person_hash)
);

-- What was wrong in which line of an import; values are not repeated.
CREATE TABLE contact_file_errors (
    id           uuid PRIMARY KEY,
    job_id       uuid NOT NULL REFERENCES contact_files ON DELETE CASCADE,
    tenant_id    uuid NOT NULL,
    line         integer NOT NULL,
    column_name  text,
    code         text NOT NULL,
    message      text NOT NULL
);
CREATE INDEX contact_file_errors_listed ON contact_file_errors (job_id, id);
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['contact_files', 'contact_file_pieces', 'contact_file_people', 'contact_file_errors'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

-- A person is exported by what they were sent alone, and then by what they got with others.
ALTER TABLE person_jobs ADD COLUMN walk text NOT NULL DEFAULT 'notifications';
-- Erasing a person takes the words of a provider, which may name them, and leaves what it said.
GRANT UPDATE (detail) ON delivery_feedback TO postroom_system;

GRANT SELECT, INSERT, UPDATE, DELETE ON contact_files, contact_file_people TO postroom_app, postroom_system;
GRANT SELECT, INSERT, DELETE ON contact_file_pieces, contact_file_errors TO postroom_app, postroom_system;

-- What comes again by itself. The rows are the record; the engine's schedules are brought into line with them by whoever
-- finds next_poke_at passed, whether something was changed (owed) or it is time to look whether it is all still there.
CREATE TABLE schedules (
    id            uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    api_key_id    uuid NOT NULL,
    name          text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    notice        jsonb NOT NULL,
    audience      jsonb NOT NULL,
    user_ids      text[],
    users         integer GENERATED ALWAYS AS (cardinality(user_ids)) STORED,
    recurrence    jsonb NOT NULL,
    time_zone     text NOT NULL,
    jitter        interval NOT NULL,
    start_at      timestamptz,
    end_at        timestamptz,
    overlap       text NOT NULL CHECK (overlap IN ('skip', 'buffer_one', 'allow_all')),
    catch_up      interval NOT NULL,
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'paused', 'ended', 'deleted')),
    resumed_at    timestamptz,
    version       integer NOT NULL DEFAULT 1,
    owed          boolean NOT NULL DEFAULT true,
    refused       boolean NOT NULL DEFAULT false,
    pokes         integer NOT NULL DEFAULT 0,
    next_poke_at  timestamptz DEFAULT now(),
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX schedules_listed ON schedules (tenant_id, id DESC) WHERE state <> 'deleted';
CREATE INDEX schedules_poke ON schedules (next_poke_at);

-- One firing. How far it has come is in `reached`, the last person looked at, written with the page that got there; what
-- it works from is kept until it ends, so that nobody gets half of a change. A run that lies still is started again.
CREATE TABLE schedule_runs (
    id            uuid PRIMARY KEY,
    schedule_id   uuid NOT NULL REFERENCES schedules ON DELETE CASCADE,
    tenant_id     uuid NOT NULL,
    fire_at       timestamptz NOT NULL,
    cause         text NOT NULL CHECK (cause IN ('schedule', 'trigger')),
    state         text NOT NULL DEFAULT 'running'
                  CHECK (state IN ('running', 'completed', 'cancelled', 'failed', 'skipped')),
    reason        text,
    notice        jsonb,
    audience      jsonb,
    user_ids      text[],
    pinned        jsonb,
    reached       text NOT NULL DEFAULT '',
    job_id        uuid,
    total         integer NOT NULL DEFAULT 0,
    inserted      integer NOT NULL DEFAULT 0,
    pokes         integer NOT NULL DEFAULT 0,
    next_poke_at  timestamptz NOT NULL DEFAULT now(),
    started_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    CHECK ((state = 'running') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX schedule_runs_fired ON schedule_runs (schedule_id, fire_at) WHERE cause = 'schedule';
CREATE INDEX schedule_runs_listed ON schedule_runs (schedule_id, id DESC);
CREATE INDEX schedule_runs_poke ON schedule_runs (next_poke_at) WHERE state = 'running';
-- ;;
-- Several messages that follow one another. What a version says never changes: whoever is under way goes on with theirs.
CREATE TABLE sequences (
    id          uuid PRIMARY KEY,
    tenant_id   uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name        text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    state       text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'deleted')),
    version     integer NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX sequences_listed ON sequences (tenant_id, id DESC) WHERE state = 'active';

CREATE TABLE sequence_versions (
    sequence_id  uuid NOT NULL REFERENCES sequences ON DELETE CASCADE,
    version      integer NOT NULL,
    tenant_id    uuid NOT NULL,
    content      jsonb NOT NULL,
    stop_on      text[] NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (sequence_id, version)
);

-- One person on the way through a sequence. At next_poke_at its workflow is started or told to look, unless it has come
-- back by itself before and moved the time.
CREATE TABLE enrolments (
    id            uuid PRIMARY KEY,
    tenant_id     uuid NOT NULL,
    api_key_id    uuid NOT NULL,
    request_id    uuid NOT NULL,
    sequence_id   uuid NOT NULL REFERENCES sequences ON DELETE CASCADE,
    version       integer NOT NULL,
    user_id       text NOT NULL CHECK (char_length(user_id) BETWEEN 1 AND 64),
    anchor_at     timestamptz NOT NULL,
    time_zone     text NOT NULL,
    variables     jsonb NOT NULL,
    state         text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'completed', 'stopped')),
    reason        text,
    pokes         integer NOT NULL DEFAULT 0,
    next_poke_at  timestamptz DEFAULT now(),
    created_at    timestamptz NOT NULL DEFAULT now(),
    ended_at      timestamptz,
    CHECK ((state = 'active') = (ended_at IS NULL))
);
CREATE UNIQUE INDEX enrolments_active ON enrolments (sequence_id, user_id) WHERE state = 'active';
CREATE INDEX enrolments_person ON enrolments (tenant_id, user_id, id DESC);
CREATE INDEX enrolments_listed ON enrolments (sequence_id, id DESC);
CREATE INDEX enrolments_request ON enrolments (request_id);
CREATE INDEX enrolments_poke ON enrolments (next_poke_at);

-- The row of a step and its notification are written in one transaction, so a step is sent once.
CREATE TABLE enrolment_steps (
    enrolment_id     uuid NOT NULL REFERENCES enrolments ON DELETE CASCADE,
    position         integer NOT NULL CHECK (position > 0),
    tenant_id        uuid NOT NULL,
    due_at           timestamptz NOT NULL,
    state            text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'skipped', 'cancelled')),
    reason           text,
    notification_id  uuid,
    done_at          timestamptz,
    PRIMARY KEY (enrolment_id, position),
    CHECK ((state = 'sent') = (notification_id IS NOT NULL))
);
CREATE INDEX enrolment_steps_notification ON enrolment_steps (notification_id) WHERE notification_id IS NOT NULL;
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['schedules', 'schedule_runs', 'sequences', 'sequence_versions', 'enrolments',
                                'enrolment_steps'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE ON schedules, schedule_runs, sequences, enrolments, enrolment_steps TO postroom_app;
GRANT SELECT, INSERT ON sequence_versions TO postroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON schedules, schedule_runs, sequences, sequence_versions, enrolments,
    enrolment_steps TO postroom_system;
-- ;;
-- The job of a run grows with each page that is written into it.
GRANT UPDATE (total) ON jobs TO postroom_app;

-- What operators plan together: a campaign holds tasks, and a task is one bulk send. A campaign owns no workflow.
CREATE TABLE campaigns (
    id           uuid PRIMARY KEY,
    tenant_id    uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 120),
    description  text,
    state        text NOT NULL DEFAULT 'active' CHECK (state IN ('active', 'archived')),
    api_key_id   uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX campaigns_listed ON campaigns (tenant_id, id DESC);

-- A task's terms (rule, content, sender, plan, tracking) may change while it is a draft; `pinned` is what the launch
-- made of them and never changes. `pace` may change at any time. `epoch` counts launches and retries. `editors` are all
-- who wrote the terms, `counted` is the audience as it was when a review was asked for. `paced` is for how many all is
-- done, as the last look found it, and who was let through by the pace since. With `cancel_requested` nothing
-- is handed off any more, and the task is cancelled once every open hand-off has been answered.
CREATE TABLE campaign_tasks (
    id                 uuid PRIMARY KEY,
    tenant_id          uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    campaign_id        uuid NOT NULL REFERENCES campaigns ON DELETE CASCADE,
    name               text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 120),
    channel            text NOT NULL,
    class              text NOT NULL DEFAULT 'marketing' CHECK (class IN ('transactional', 'marketing')),
    notification_type  text,
    rule               jsonb NOT NULL,
    content            jsonb NOT NULL,
    sender             jsonb NOT NULL DEFAULT '{}',
    plan               jsonb NOT NULL DEFAULT '{}',
    pace               jsonb NOT NULL DEFAULT '{}',
    tracking           jsonb NOT NULL DEFAULT '{}',
    time_to_live       interval NOT NULL,
    version            integer NOT NULL DEFAULT 1,
    state              text NOT NULL DEFAULT 'draft' CHECK (state IN (
                           'draft', 'in_review', 'scheduled', 'sending', 'paused', 'completed',
                           'completed_with_failures', 'failed', 'cancelled')),
    reason             text,
    created_by         uuid NOT NULL,
    editors            uuid[] NOT NULL DEFAULT '{}',
    submitted_by       uuid,
    submitted_at       timestamptz,
    counted            integer,
    content_hash       bytea,
    approved_by        uuid,
    approved_at        timestamptz,
    approved_hash      bytea,
    approved_audience  integer,
    cancel_requested   boolean NOT NULL DEFAULT false,
    pinned             jsonb,
    start_at           timestamptz,
    epoch              integer NOT NULL DEFAULT 0,
    audience           integer,
    frozen_to          text,
    frozen_at          timestamptz,
    pace_anchor        timestamptz,
    paced              integer NOT NULL DEFAULT 0,
    held_until         timestamptz,
    held_reason        text,
    owed               boolean NOT NULL DEFAULT false,
    pokes              integer NOT NULL DEFAULT 0,
    next_poke_at       timestamptz,
    wake_by            timestamptz,
    launched_at        timestamptz,
    started_at         timestamptz,
    ended_at           timestamptz,
    totals             jsonb,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);
CREATE INDEX campaign_tasks_listed ON campaign_tasks (tenant_id, id DESC);
CREATE INDEX campaign_tasks_campaign ON campaign_tasks (campaign_id, id DESC);
CREATE INDEX campaign_tasks_poke ON campaign_tasks (next_poke_at) WHERE owed;
CREATE INDEX campaign_tasks_watch ON campaign_tasks (wake_by) WHERE wake_by IS NOT NULL AND NOT owed;

-- The frozen audience: who, in which order, with which of the pinned contents. Written once, and never again but when a
-- person is erased. The state of each is that of its delivery.
CREATE TABLE task_recipients (
    task_id      uuid NOT NULL,
    seq          integer NOT NULL CHECK (seq > 0),
    tenant_id    uuid NOT NULL,
    user_id      text,
    delivery_id  uuid NOT NULL DEFAULT uuidv7(),
    part         smallint NOT NULL DEFAULT 0,
    domain       text,
    PRIMARY KEY (task_id, seq)
);
CREATE INDEX task_recipients_person ON task_recipients (tenant_id, user_id, task_id) WHERE user_id IS NOT NULL;
CREATE UNIQUE INDEX task_recipients_once ON task_recipients (task_id, user_id) WHERE user_id IS NOT NULL;

-- The audience by pages of neighbours. `next_at` is when somebody must look at the page again: null once every delivery
-- of it is final; `asks_at` is when somebody must ask what became of a hand-off, or expire who waited for too long, also
-- while nothing may leave.
-- `counts` (by state) hold while `counted`; whoever changes a delivery of the page and does not count
-- clears `counted`, and then the rows themselves are counted.
CREATE TABLE task_pages (
    task_id    uuid NOT NULL,
    number     integer NOT NULL CHECK (number > 0),
    tenant_id  uuid NOT NULL,
    first_seq  integer NOT NULL,
    last_seq   integer NOT NULL,
    next_at    timestamptz,
    asks_at    timestamptz,
    counted    boolean NOT NULL DEFAULT true,
    counts     jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (task_id, number)
) WITH (fillfactor = 70);
CREATE INDEX task_pages_due ON task_pages (task_id, next_at) WHERE next_at IS NOT NULL;

-- Append-only: who did what with a task, and what the house did by itself.
CREATE TABLE task_events (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    task_id     uuid NOT NULL,
    tenant_id   uuid NOT NULL,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    kind        text NOT NULL,
    reason      text,
    api_key_id  uuid,
    detail      jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX task_events_task ON task_events (task_id, id);
-- ;;
-- A recipient of a task is a delivery like any other, without a notification.
ALTER TABLE deliveries ALTER COLUMN notification_id DROP NOT NULL;
ALTER TABLE deliveries ADD COLUMN task_id uuid;
ALTER TABLE deliveries ADD COLUMN seq integer;
ALTER TABLE deliveries ADD CONSTRAINT deliveries_have_one_owner
    CHECK (num_nonnulls(notification_id, task_id) = 1 AND (task_id IS NULL) = (seq IS NULL));
ALTER TABLE deliveries DROP CONSTRAINT deliveries_notification_id_position_key;
CREATE UNIQUE INDEX deliveries_notification ON deliveries (notification_id, position) WHERE notification_id IS NOT NULL;
CREATE UNIQUE INDEX deliveries_task ON deliveries (task_id, seq) WHERE task_id IS NOT NULL;
-- ;;
-- What became known of an accepted message afterwards: delivered, bounced, complained. Events, never states.
CREATE TABLE delivery_feedback (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    delivery_id  uuid NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    task_id      uuid,
    kind         text NOT NULL CHECK (kind IN ('delivered', 'delayed', 'bounced', 'complained', 'unsubscribed')),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    permanent    boolean,
    enhanced     text,
    source       text NOT NULL,
    detail       text
);
CREATE UNIQUE INDEX delivery_feedback_once ON delivery_feedback (delivery_id, kind, source, coalesce(enhanced, ''));
CREATE INDEX delivery_feedback_task ON delivery_feedback (task_id, kind) WHERE task_id IS NOT NULL;

-- Links of a task as its contents name them; a click names its link by position.
CREATE TABLE task_links (
    task_id    uuid NOT NULL,
    position   integer NOT NULL CHECK (position > 0),
    tenant_id  uuid NOT NULL,
    url        text NOT NULL,
    url_hash   bytea NOT NULL,
    PRIMARY KEY (task_id, position),
    UNIQUE (task_id, url_hash)
);

-- Opens and clicks, each as it came; `machine` says why it was not the person: null for a person.
CREATE TABLE delivery_touches (
    id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id    uuid NOT NULL,
    delivery_id  uuid NOT NULL REFERENCES deliveries ON DELETE CASCADE,
    task_id      uuid,
    kind         text NOT NULL CHECK (kind IN ('open', 'click')),
    link         integer,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    machine      text
);
CREATE INDEX delivery_touches_delivery ON delivery_touches (delivery_id, kind);
CREATE INDEX delivery_touches_task ON delivery_touches (task_id, kind, delivery_id) WHERE task_id IS NOT NULL;
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['campaigns', 'campaign_tasks', 'task_recipients', 'task_pages', 'task_events',
                                'delivery_feedback', 'task_links', 'delivery_touches'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON campaigns, campaign_tasks, task_recipients, task_pages
    TO postroom_app, postroom_system;
GRANT SELECT, INSERT ON task_events, delivery_feedback, task_links, delivery_touches TO postroom_app, postroom_system;

-- The mark asks whether the task still sends.
GRANT SELECT (id, state) ON campaign_tasks TO postroom_ledger;
CREATE POLICY ledger ON campaign_tasks FOR SELECT TO postroom_ledger USING (true);

-- Who closes which digests, and when: one alone, or a page of those of one tenant and channel that close at one instant.
-- A wake-up is owed until the workflow itself has looked, as with carriers.
CREATE TABLE closings (
    id            uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id     uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    workflow_id   text NOT NULL,
    channel       text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('alone', 'page')),
    closes_at     timestamptz NOT NULL,
    size          integer NOT NULL,
    state         text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    owed          boolean NOT NULL DEFAULT true,
    pokes         integer NOT NULL DEFAULT 0,
    next_poke_at  timestamptz NOT NULL DEFAULT now(),
    wake_by       timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    closed_at     timestamptz
) WITH (fillfactor = 80);
CREATE INDEX closings_poke ON closings (next_poke_at) WHERE state = 'open' AND owed;
CREATE INDEX closings_watch ON closings (wake_by) WHERE state = 'open' AND NOT owed;
CREATE INDEX closings_instant ON closings (tenant_id, channel, closes_at, kind) WHERE state = 'open';

-- A digest gathers what one person is told of one type over one channel until it closes. Only one is open at a time;
-- one that is closing takes nothing more, and the next one is opened beside it. What waits in a digest stays a
-- notification of its own until the digest takes it.
CREATE TABLE digests (
    id                 uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id          uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id            text NOT NULL,
    notification_type  text NOT NULL,
    channel            text NOT NULL,
    closes_at          timestamptz NOT NULL,
    state              text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closing', 'sent', 'empty')),
    closing_id         uuid REFERENCES closings,
    notification_id    uuid REFERENCES notifications ON DELETE SET NULL,
    items              integer NOT NULL DEFAULT 0,
    created_at         timestamptz NOT NULL DEFAULT now(),
    closed_at          timestamptz
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX digests_open ON digests (tenant_id, user_id, notification_type, channel) WHERE state = 'open';
CREATE INDEX digests_placed ON digests (tenant_id, channel, closes_at, id)
    WHERE state IN ('open', 'closing') AND closing_id IS NULL;
CREATE INDEX digests_closing ON digests (closing_id) WHERE closing_id IS NOT NULL;
CREATE INDEX digests_notification ON digests (notification_id) WHERE notification_id IS NOT NULL;
CREATE INDEX digests_listed ON digests (tenant_id, id DESC);
CREATE INDEX digests_person ON digests (tenant_id, user_id, id DESC);

-- outlives: nobody had named a time-to-live, so it was moved behind the digest.
CREATE TABLE digest_items (
    digest_id        uuid NOT NULL REFERENCES digests ON DELETE CASCADE,
    notification_id  uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    tenant_id        uuid NOT NULL,
    outlives         boolean NOT NULL DEFAULT false,
    added_at         timestamptz NOT NULL DEFAULT now(),
    taken_at         timestamptz,
    PRIMARY KEY (digest_id, notification_id)
);
CREATE INDEX digest_items_notification ON digest_items (notification_id);
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['closings', 'digests', 'digest_items'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT ON closings TO postroom_app;
GRANT UPDATE (owed, next_poke_at, pokes, wake_by, state, closed_at) ON closings TO postroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON digests, digest_items TO postroom_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON closings, digests, digest_items TO postroom_system;

-- A digest gathers what one person is told of one type over one channel until it closes. Only one is open at a time.
-- What waits in it stays a notification of its own until the digest takes it.
CREATE TABLE digests (
    id                 uuid PRIMARY KEY DEFAULT uuidv7(),
    tenant_id          uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id            text NOT NULL,
    notification_type  text NOT NULL,
    channel            text NOT NULL,
    closes_at          timestamptz NOT NULL,
    state              text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'sent', 'empty')),
    notification_id    uuid,
    owed               boolean NOT NULL DEFAULT true,
    pokes              integer NOT NULL DEFAULT 0,
    next_poke_at       timestamptz NOT NULL DEFAULT now(),
    created_at         timestamptz NOT NULL DEFAULT now(),
    closed_at          timestamptz
);
CREATE UNIQUE INDEX digests_open ON digests (tenant_id, user_id, notification_type, channel) WHERE state = 'open';
CREATE INDEX digests_poke ON digests (next_poke_at) WHERE owed;

CREATE TABLE digest_items (
    digest_id        uuid NOT NULL REFERENCES digests ON DELETE CASCADE,
    notification_id  uuid NOT NULL REFERENCES notifications ON DELETE CASCADE,
    tenant_id        uuid NOT NULL,
    taken_at         timestamptz,
    PRIMARY KEY (digest_id, notification_id)
);
CREATE INDEX digest_items_notification ON digest_items (notification_id);
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['digests', 'digest_items'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON digests, digest_items TO postroom_app, postroom_system;

-- One row per provider and kind of window: the window it was last reserved from, and how much of that is given away.
-- A provider of the deployment, which serves every tenant, belongs to none.
CREATE TABLE provider_usage (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     uuid REFERENCES tenants ON DELETE CASCADE,
    channel       text NOT NULL,
    provider      text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('second', 'minute', 'day')),
    window_start  timestamptz NOT NULL,
    used          integer NOT NULL CHECK (used >= 0),
    UNIQUE NULLS NOT DISTINCT (tenant_id, channel, provider, kind)
) WITH (fillfactor = 50);
-- ;;
ALTER TABLE provider_usage ENABLE ROW LEVEL SECURITY;
ALTER TABLE provider_usage FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON provider_usage FOR SELECT TO postroom_app USING (tenant_id = current_tenant());
CREATE POLICY everything ON provider_usage FOR SELECT TO postroom_system USING (true);
CREATE POLICY ledger ON provider_usage TO postroom_ledger USING (true) WITH CHECK (true);

-- Reserving is part of the way to the mark: the same role, two columns.
GRANT SELECT ON provider_usage TO postroom_app, postroom_system, postroom_ledger;
GRANT INSERT, UPDATE (window_start, used) ON provider_usage TO postroom_ledger;

-- What a tenant calls people by, to find them again together. A tag is there as long as somebody has it.
CREATE TABLE contact_tags (
    tenant_id  uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    user_id    text NOT NULL,
    tag        text NOT NULL CHECK (char_length(tag) BETWEEN 1 AND 64),
    added_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id, tag),
    FOREIGN KEY (tenant_id, user_id) REFERENCES contacts ON DELETE CASCADE
);
CREATE UNIQUE INDEX contact_tags_tag ON contact_tags (tenant_id, tag, user_id);
-- ;;
-- Attributes hold whatever a tenant put into them. Only a text that is a date, or a time with its offset, is a moment;
-- a date is its first instant in UTC. Never raises: what no calendar has is null.
CREATE FUNCTION attribute_moment(value jsonb) RETURNS timestamptz LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE
    WHEN jsonb_typeof(value) IS DISTINCT FROM 'string' THEN NULL
    WHEN value #>> '{}' ~ '^[0-9]{4}-[0-9]{2}-[0-9]{2}$' THEN
        CASE WHEN pg_input_is_valid(value #>> '{}', 'date') THEN ((value #>> '{}') || 'T00:00:00Z')::timestamptz END
    WHEN value #>> '{}' ~ ('^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]{1,6})?)?'
                           '([Zz]|[+-](0[0-9]|1[0-4]):[0-5][0-9])$') THEN
        CASE WHEN pg_input_is_valid(value #>> '{}', 'timestamptz') THEN (value #>> '{}')::timestamptz END
END;
GRANT EXECUTE ON FUNCTION attribute_moment (jsonb) TO postroom_app, postroom_system;
-- ;;
ALTER TABLE contact_tags ENABLE ROW LEVEL SECURITY;
ALTER TABLE contact_tags FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON contact_tags TO postroom_app USING (tenant_id = current_tenant())
    WITH CHECK (tenant_id = current_tenant());
CREATE POLICY everything ON contact_tags TO postroom_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE (tag), DELETE ON contact_tags TO postroom_app, postroom_system;
-- ;;
-- Rules that are needed again and again, by name. What names one copies its rule.
CREATE TABLE audiences (
    tenant_id    uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    name         text NOT NULL CHECK (char_length(name) BETWEEN 1 AND 64),
    description  text,
    rule         jsonb NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, name)
);
ALTER TABLE audiences ENABLE ROW LEVEL SECURITY;
ALTER TABLE audiences FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON audiences TO postroom_app USING (tenant_id = current_tenant())
    WITH CHECK (tenant_id = current_tenant());
CREATE POLICY everything ON audiences TO postroom_system USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON audiences TO postroom_app;
GRANT SELECT ON audiences TO postroom_system;

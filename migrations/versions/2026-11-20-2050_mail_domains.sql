-- From-domains: where a tenant's mail says it is from, whether DNS says so too, and when to look again. `findings` is
-- what the last look found; one that got no answer changes the state of nothing.
CREATE TABLE mail_domains (
    id             uuid PRIMARY KEY,
    tenant_id      uuid NOT NULL REFERENCES tenants ON DELETE CASCADE,
    domain         text NOT NULL CHECK (domain = lower(domain) AND char_length(domain) BETWEEN 4 AND 253),
    bounce_domain  text,
    spf_include    text,
    ed25519        boolean NOT NULL DEFAULT false,
    state          text NOT NULL DEFAULT 'unverified' CHECK (state IN ('unverified', 'ready', 'failing')),
    findings       jsonb NOT NULL DEFAULT '[]',
    checked_at     timestamptz,
    next_check_at  timestamptz NOT NULL,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, domain)
);
CREATE INDEX mail_domains_check ON mail_domains (next_check_at);

-- The keys a domain's mail is signed with. A key signs once its record was seen in DNS, never before; what it replaces
-- loses its private half at that moment. Private keys are sealed and bound to tenant and row.
CREATE TABLE mail_domain_keys (
    id             uuid PRIMARY KEY,
    tenant_id      uuid NOT NULL,
    domain_id      uuid NOT NULL REFERENCES mail_domains ON DELETE CASCADE,
    selector       text NOT NULL,
    algorithm      text NOT NULL CHECK (algorithm IN ('rsa-sha256', 'ed25519-sha256')),
    state          text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'active', 'retired')),
    public_key     text NOT NULL,
    secret         bytea,
    secret_key_id  text,
    activated_at   timestamptz,
    retired_at     timestamptz,
    created_at     timestamptz NOT NULL DEFAULT now(),
    UNIQUE (domain_id, selector),
    CONSTRAINT mail_domain_keys_sign_or_are_over CHECK ((state = 'retired') = (secret IS NULL))
);
CREATE UNIQUE INDEX mail_domain_keys_active ON mail_domain_keys (domain_id, algorithm) WHERE state = 'active';
CREATE UNIQUE INDEX mail_domain_keys_pending ON mail_domain_keys (domain_id, algorithm) WHERE state = 'pending';
-- ;;
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['mail_domains', 'mail_domain_keys'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
        EXECUTE format('CREATE POLICY tenant ON %I TO postroom_app USING (tenant_id = current_tenant()) '
                       'WITH CHECK (tenant_id = current_tenant())', name);
        EXECUTE format('CREATE POLICY everything ON %I TO postroom_system USING (true) WITH CHECK (true)', name);
    END LOOP;
END $$;

GRANT SELECT, INSERT, UPDATE, DELETE ON mail_domains, mail_domain_keys TO postroom_app;
-- The round only finds whose turn it is; everything else is done as the tenant.
GRANT SELECT (id, tenant_id, next_check_at), UPDATE (next_check_at) ON mail_domains TO postroom_system;

-- A suppression concerns everything, or one class, type or group: 'all', 'marketing', 'type:digest', 'group:billing'.
ALTER TABLE suppressions ADD COLUMN scope text NOT NULL DEFAULT 'all';
ALTER TABLE suppressions DROP CONSTRAINT suppressions_pkey;
ALTER TABLE suppressions ADD PRIMARY KEY (tenant_id, channel, address_hash, scope);
GRANT DELETE ON suppressions TO postroom_app;
GRANT SELECT (scope) ON suppressions TO postroom_ledger;
-- ;;
ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE jobs ADD CHECK (kind IN ('batch', 'export', 'erasure'));

-- From-domains.
SELECT 1;

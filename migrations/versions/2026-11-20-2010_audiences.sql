-- Tags of contacts.
SELECT 1;

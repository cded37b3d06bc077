-- Files of contacts.
SELECT 1;

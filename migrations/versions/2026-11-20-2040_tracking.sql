-- What comes back.
SELECT 1;

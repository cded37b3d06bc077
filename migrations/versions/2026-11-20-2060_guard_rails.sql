-- Guard rails.
SELECT 1;

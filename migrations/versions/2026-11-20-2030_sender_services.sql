-- Ways out.
SELECT 1;

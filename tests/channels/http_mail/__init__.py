"""Mail over HTTP: the same protocol as SMTP, spoken to vendors."""

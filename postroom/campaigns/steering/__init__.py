"""While a task runs, and after: people stop it, change it, and ask how it stands."""

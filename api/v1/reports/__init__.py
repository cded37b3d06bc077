"""How tasks, campaigns and notifications fared."""

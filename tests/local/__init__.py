"""The local stack: its parts, its supervisor, its embedded servers."""

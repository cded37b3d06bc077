"""Version 1 over the wire, one room per noun as in `api/v1`."""

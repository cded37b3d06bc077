"""Version 1 of the REST API, one room per noun; what several rooms use stands beside them."""

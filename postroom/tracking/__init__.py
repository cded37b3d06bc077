"""Opens and clicks: the links a mail carries, and what comes back over them."""

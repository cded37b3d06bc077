"""How a task is sent: poked, frozen, passed over page by page, and ended when everybody is accounted for."""

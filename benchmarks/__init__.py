"""What Postroom costs, measured beside the bare parts it stands on, in one run on one machine."""

"""The person's own pages: what they hear of, and how to be left alone; reached by the links in their mail."""

"""Before a task leaves: its terms are written, checked, pinned, approved and launched."""

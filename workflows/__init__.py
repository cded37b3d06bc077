"""What happens when: deterministic Temporal workflows."""

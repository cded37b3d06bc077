"""What a person wants, whole and one by one."""

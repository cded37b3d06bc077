"""People: what is known of them, their tags and their inbox, by the file, told to them and erased."""

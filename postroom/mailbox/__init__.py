"""The local mail catcher: SMTP, a journal by Message-ID, a page to read the mail."""

"""The admin door: a small JSON API for operators, served by the supervisor."""

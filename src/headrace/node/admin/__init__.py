"""The admin API that every role has: a small JSON API for operators, served by the supervisor."""

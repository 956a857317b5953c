"""Backups: the store they are kept in, how one is taken and proved, which may go; the verb ``backups``."""

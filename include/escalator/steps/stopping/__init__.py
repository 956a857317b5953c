"""Stops servers that stay on a node before it is upgraded, and starts those that ran when it is proved.

By the ledger, which remembers who ran: an attempt that is killed anywhere forgets no server.
"""

"""The steps of a node's life, one file a step: each reads, asks the upgrade manager, acts and records.

admit, precheck, switchover, migrate, upgrade, verify, release. What serves them is in the folders.
"""

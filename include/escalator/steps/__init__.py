"""The steps of a node's life: each reads, asks the upgrade manager, acts and records."""

"""Inventory files: what the DAGs are made from. Reading one needs the standard library only."""

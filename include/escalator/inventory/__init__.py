"""Inventory files: what the DAGs are made from. Reading one needs pydantic, no client of a cloud."""

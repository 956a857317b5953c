"""Escalator's operators, triggers and hooks for Airflow, and the graph of its DAGs."""

"""Airflow operators of Escalator."""

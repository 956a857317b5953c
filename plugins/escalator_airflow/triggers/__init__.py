"""Airflow triggers of Escalator."""

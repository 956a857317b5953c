"""Airflow hooks of Escalator."""

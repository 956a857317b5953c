"""Airflow timetables of Escalator."""

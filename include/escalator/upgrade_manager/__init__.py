"""The Upgrade Manager decides: pure functions over frozen data, no I/O, no clock, no Airflow."""

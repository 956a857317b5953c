"""The demonstration: a real OpenStack, a real Airflow, one campaign from start to end."""

"""The VIM interface over HTTP: an app of Airflow's API server. Nothing is imported before it is asked for."""

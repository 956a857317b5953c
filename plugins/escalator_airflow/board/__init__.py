"""The board over HTTP: pages and JSON of Airflow's API server, with Airflow's own log-in and rights."""

-- Run once, when the database volume is made: the ledger lives beside Airflow's own database.
CREATE DATABASE escalator;

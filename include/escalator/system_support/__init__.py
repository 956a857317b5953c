"""System Support: talks to one compute node over SSH; runs jobs there, brings software, restarts services."""

"""The simulator: plays a campaign on a snapshot with the decision functions that the DAGs use."""

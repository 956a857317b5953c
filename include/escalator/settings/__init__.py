"""The variables of the environment: which there are, and the folders and addresses that they lead to."""

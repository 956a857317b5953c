"""The ledger: what campaigns planned and did, in a database that workers and triggerer share."""

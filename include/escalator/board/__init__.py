"""The board: how a campaign stands, for the person who watches it. Reads the ledger and writes nothing."""

"""What a node tells and gives for its backup: one command, which only reads."""

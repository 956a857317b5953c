"""What happens in a campaign, told as it happens: to files, logs, metrics and people. It decides nothing."""

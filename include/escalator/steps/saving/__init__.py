"""What is saved before a campaign changes it."""

"""What this process would use of Escalator, and whether it can: the verb ``escalator doctor``."""

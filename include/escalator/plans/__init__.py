"""Plans for a person: the verbs that say what a campaign would do, and write nothing to a cloud."""

"""Checks for a person: the verbs that read a cloud and judge it, and write nothing."""

"""The monitoring system of a cloud: its alerts, and the silences of nodes that are out."""

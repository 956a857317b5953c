"""The conditions of an upgrade: one module a family, each finds what is met and what is not."""

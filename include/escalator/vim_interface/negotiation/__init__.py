"""Negotiation: whom a node or a session concerns, what they are told, and what their answers mean. Pure."""

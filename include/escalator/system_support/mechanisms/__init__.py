"""How a bundle is brought to a node."""

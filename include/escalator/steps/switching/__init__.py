"""How services leave a node before its servers are moved: their managers are asked."""

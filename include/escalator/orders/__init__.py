"""What a person may order of a campaign that runs: what an order means, and whether it makes sense."""

"""Small VNFs that are real: processes that serve on the addresses of their servers, and managers of them."""

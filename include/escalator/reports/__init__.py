"""Reports: what a campaign did, as JSON, Markdown and one HTML page."""

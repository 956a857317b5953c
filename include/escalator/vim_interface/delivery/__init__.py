"""Brings notices to managers of VNFs: by direct POST, and to the message bus of the cloud."""

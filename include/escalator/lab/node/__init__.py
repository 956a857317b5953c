"""What runs inside a node: its first process, its systemctl, its file system. Standard library only."""

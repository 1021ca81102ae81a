"""The server: application, security, connections, processes."""

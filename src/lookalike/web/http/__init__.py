"""The HTTP server: application, security, connections, processes."""

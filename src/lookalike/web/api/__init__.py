"""Endpoints of the HTTP API and their schemas."""

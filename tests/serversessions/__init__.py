"""Sessions on the server."""

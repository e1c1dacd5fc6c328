"""Erlen, Flask, Falcon, Bottle and a bare WSGI callable, side by side on the same work."""

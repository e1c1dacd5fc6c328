"""Requests over HTTP: servers on one core, the load on another."""

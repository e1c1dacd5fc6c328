"""Tests of roles and permissions."""

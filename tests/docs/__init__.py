"""The documentation holds what it says: its examples run, its tables are complete."""

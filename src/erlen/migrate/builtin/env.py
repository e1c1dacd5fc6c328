"""The environment of projects that have no ``env.py`` of their own."""

from erlen.migrate.environment import run

run()

"""How migrations run here. Arguments of run() go to Alembic's context.configure()."""

from erlen.migrate.environment import run

run()

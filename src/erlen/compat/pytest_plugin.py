"""The plugin with which ``python -m erlen.compat pytest`` installs the alias.

It is named on pytest's command line, so pytest loads it before any other plugin, and pytest-xdist
hands it to its worker processes.
"""

from .alias import install

install()

"""Flask's names, answered by Erlen.

:func:`install` makes ``import flask`` give Erlen's modules in this process. ``python -m
erlen.compat`` runs a program that way, and ``erlen compat enable`` makes it so for a whole
environment.
"""

from .alias import SERVED as SERVED
from .alias import Served as Served
from .alias import install as install
from .alias import is_installed as is_installed
from .alias import legacy_names as legacy_names

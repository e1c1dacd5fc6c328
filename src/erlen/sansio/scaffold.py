"""What application and blueprint have in common: see :mod:`erlen.scaffold`."""

from ..scaffold import Scaffold as Scaffold
from ..scaffold import _endpoint_from_view_func as _endpoint_from_view_func
from ..scaffold import _sentinel as _sentinel
from ..scaffold import find_package as find_package
from ..scaffold import setupmethod as setupmethod

"""The blueprint class: see :mod:`erlen.blueprints`."""

from ..blueprints import Blueprint as Blueprint
from ..blueprints import BlueprintSetupState as BlueprintSetupState
from ..blueprints import DeferredSetupFunction as DeferredSetupFunction

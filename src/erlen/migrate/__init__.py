"""Migrations: the database's schema as a history of small steps.

The API is that of Flask-Migrate 4, and Alembic does the work underneath.

.. code-block:: python

    from erlen.db import SQLAlchemy
    from erlen.migrate import Migrate

    db = SQLAlchemy(app)
    migrate = Migrate(app, db)
"""

from alembic import __version__ as _version

from .data import in_batches as in_batches
from .extension import Config as Config
from .extension import Migrate as Migrate
from .extension import MigrateConfig as MigrateConfig
from .extension import MigrateConfig as _MigrateConfig  # noqa: F401  What Flask-Migrate calls it.
from .functions import branches as branches
from .functions import catch_errors as catch_errors
from .functions import check as check
from .functions import current as current
from .functions import downgrade as downgrade
from .functions import edit as edit
from .functions import heads as heads
from .functions import history as history
from .functions import init as init
from .functions import lint as lint
from .functions import list_templates as list_templates
from .functions import merge as merge
from .functions import migrate as migrate
from .functions import rebase as rebase
from .functions import revision as revision
from .functions import show as show
from .functions import squash as squash
from .functions import stamp as stamp
from .functions import status as status
from .functions import upgrade as upgrade

#: Alembic's version, as numbers.
alembic_version: tuple[int, ...] = tuple(int(part) for part in _version.split(".")[:3])

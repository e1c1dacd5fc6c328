"""The process of a worker of ``erlen serve``: ``python -m erlen.cli.worker`` and a descriptor."""

from __future__ import annotations

import importlib
import socket
import sys

from ..server.production.checks import InsecureError
from ..server.production.front import StartError
from ..server.production.worker import Worker, skip_machinery
from . import ScriptInfo
from .errors import format_error
from .loading import NoAppException


def main(descriptor: int) -> None:
    """Load the application, and serve it until the master says that it is enough.

    :param descriptor: the socket to the master.
    """
    worker = Worker(socket.socket(fileno=descriptor))
    try:
        worker.run(ScriptInfo(worker.app_import_path).load_app())
    except NoAppException as error:
        worker.fail(error.format_message())
    except (InsecureError, StartError) as error:
        worker.fail(str(error))
    except Exception as error:
        skip_machinery(error)
        worker.fail(format_error(error))


if __name__ == "__main__":
    # That module lies above this one.
    importlib.import_module("erlen.__main__").answer_for_flask()
    main(int(sys.argv[1]))

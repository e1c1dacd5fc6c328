"""Which library's interface this package has; programs ask for it under these names."""

from __future__ import annotations

__title__ = "erlen.login"
__description__ = "Who is logged in, with the interface of Flask-Login"
__url__ = ""
#: The version of Flask-Login whose behaviour is followed.
__version_info__ = ("0", "6", "3")
__version__ = ".".join(__version_info__)
__author__ = "The Erlen authors"
__author_email__ = ""
__maintainer__ = "The Erlen authors"
__license__ = "BSD-3-Clause"
__copyright__ = "The Erlen authors"

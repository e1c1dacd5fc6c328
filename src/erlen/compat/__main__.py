"""The command ``python -m erlen.compat``."""

import sys

from .launch import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""``python -m perpkit`` is the command ``perpkit``."""

import sys

from perpkit.cli import main

if __name__ == "__main__":
    sys.exit(main())

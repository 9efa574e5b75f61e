"""``python -m perpkit.sessions``: write the tables of days anew."""

import sys

from perpkit.sessions.regenerate import main

if __name__ == "__main__":
    sys.exit(main())

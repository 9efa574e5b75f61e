"""``python -m tests.golden [FOLDER]``: write the files that test_golden.py holds a run to.

Run it at the root of a checkout, after a rule was changed on purpose. Without a folder it writes
over the files beside it; ``git diff tests/golden`` then shows what the change did to two runs.
"""

import sys
from pathlib import Path

from tests.golden.ledger import CASES, HERE, cut, played, write

folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
for case in CASES:
    write(case, cut(played(case)), folder)
written = sum(file.stat().st_size for file in folder.glob("*/*.csv"))
sys.stdout.write(f"{written:,} bytes of CSV in {folder}\n")

"""The module beside the tests is imported by name; the package's own are not touched."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

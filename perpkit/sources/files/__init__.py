"""Files of others read into a dataset.

One mechanism: a mapping says which table a file becomes and where each of its columns comes from.
A format that perpkit knows is a mapping in ``formats/``; the user's own is a TOML file of the same
form. Rows are read in pieces, so the size of a file does not matter, and go into the dataset's
store in one commit.
"""

from perpkit.sources.files.describing import About
from perpkit.sources.files.importing import Imported, import_files
from perpkit.sources.files.mapping import FORMATS, FileMap, built_in, check_mapping, read_mapping

__all__ = [
    "FORMATS",
    "About",
    "FileMap",
    "Imported",
    "built_in",
    "check_mapping",
    "import_files",
    "read_mapping",
]

"""The panels of the report, one function and file each."""

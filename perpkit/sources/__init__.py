"""Where histories come from: one module a source, and each writes a dataset."""

"""A model at rest: its metadata, checksums, accuracy card and precisions."""

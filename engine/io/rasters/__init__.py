"""NRRD and MetaImage: a text header, and numbers behind it or in a file beside it."""

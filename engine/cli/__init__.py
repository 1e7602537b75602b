"""The command ``litemedsam-infer``."""

"""The runtimes, each behind the same small interface."""

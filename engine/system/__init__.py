"""Processors, memory, signals, stopwatches and optional libraries of this process."""

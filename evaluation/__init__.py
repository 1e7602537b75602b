"""DSC and NSD of masks against ground truths, in the challenge's form and corrected.

Imports neither torch nor the engine.
"""

"""DSC and NSD of masks against ground truths, in the challenge's form and corrected.

Imports no torch and no network. Of the engine it takes the readers of volumes alone, so that the figures do not depend
on the code that made the masks.
"""

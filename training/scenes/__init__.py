"""Synthetic scenes that look to a network like medicine: domain randomisation, no patient data.

Each family draws a picture in the manner of one way of imaging, and the true mask of every object in it.
"""

from .families import FAMILIES, draw_scene

__all__ = ["FAMILIES", "draw_scene"]

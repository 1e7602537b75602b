"""Synthetic scenes that look like medical images to a network: domain randomisation, no patient data.

Each family imitates one kind of imaging. It draws a picture and the true mask of every object in it.
"""

from .families import FAMILIES, draw_scene

__all__ = ["FAMILIES", "draw_scene"]

"""Synthetic scenes, users' cases and the loop that trains a network on them."""

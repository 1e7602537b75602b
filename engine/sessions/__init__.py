"""Opened images and volumes: encoded once, asked as often as wanted, from any thread."""

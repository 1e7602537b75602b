"""Opened images and volumes: encoded once, queried as often as needed, from any thread."""

"""Protocols of other programs, translated into sessions."""

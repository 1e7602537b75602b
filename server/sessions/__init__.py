"""Open scans with their objects, masks and history; nothing here knows HTTP."""

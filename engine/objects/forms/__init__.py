"""The forms in which JSON files hold boxes, one file each."""

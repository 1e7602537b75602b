"""Files that may be opened: those below the data folder, and uploads."""

"""What is to be segmented: boxes, points and strokes, and where they come from."""

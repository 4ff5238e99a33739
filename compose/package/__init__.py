"""How the wheels of the image, their lists of contents, and the one-file program are made."""

"""What becomes of a reading: one small module a format, and the files they are written to."""

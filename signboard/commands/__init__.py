"""The commands of `signboard`, one module each. They are light to import: networks load inside the functions."""

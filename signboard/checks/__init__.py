"""What the whole program is checked by: drawn pictures whose truth is known, damaged files, runs that are killed.

The tests check a little with it, the programs `scripts/evaluate_drawn.py`, `fuzz_photos.py` and `fuzz_resume.py` much.
"""

"""How the numbers that are shipped were learnt from question sets."""

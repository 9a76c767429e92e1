"""What the controller decides, as functions of values.

Nothing here does I/O, reads a clock or draws a random number: times, names and keys are arguments, so a decision is
the same whenever it is taken twice.
"""

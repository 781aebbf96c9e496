"""Reading a whole store again: what is not as it was written, and what nobody needs any more.

Nothing here changes the disk, but for :mod:`repairing`, which does so through the gate.
"""

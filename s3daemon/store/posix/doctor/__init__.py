"""The doctor: everything about a file system that a gateway's promises rest on, tried and judged.

:mod:`s3daemon.store.posix.probe` finds out what the store has to know, in a moment, whenever a
daemon starts.  The doctor takes some seconds, tries the rest too, and says what each thing means.
"""

"""Checkers that ask elsewhere.  Nothing imports them: Twisted finds them as plug-ins."""

"""Commands, one file each: flags, one call into the package, a printed answer.

Nothing imports them but the command line; what can be called from Python is elsewhere.
"""

"""Checks of arguments, with error messages that name the argument, what it got, and what to do."""

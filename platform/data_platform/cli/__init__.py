"""The command line: words in, words out, no logic."""

from data_platform.cli.warm import main

__all__ = ["main"]  # the program that is installed

"""The commands of ``edge-fer``, a module each: options in, library calls, talk to people."""

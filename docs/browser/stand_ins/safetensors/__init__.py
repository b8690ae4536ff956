"""A plain stand-in for safetensors, which no package registry has for browsers."""


class SafetensorError(Exception):
    """What is no such file."""

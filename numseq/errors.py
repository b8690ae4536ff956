"""numseq's errors: mistakes that one line can explain to the person who made them."""


class NumseqError(Exception):
    """Something a user can put right; the command line shows the message alone, without a stack trace."""


class ConfigError(NumseqError):
    """An option or a configuration that makes no sense; the message says which, and what would."""

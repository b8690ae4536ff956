"""The wiring of the decoders, one file for each order."""

"""Show values in the middle of a cell."""

import kernel


def display(*values):
    for value in values:
        kernel.display(value)


class HTML:
    """Text that is HTML."""

    def __init__(self, data):
        self.data = data

    def _repr_html_(self):
        return self.data


class SVG(HTML):
    """A drawing."""


class Markdown(HTML):
    """Text in Markdown, shown as it is."""

    def _repr_html_(self):
        return None

    def __repr__(self):
        return self.data

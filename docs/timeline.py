"""The timeline of a page of history: drawn from its tables, whose first two columns are a year and who."""

import re
from html import escape

SECTION = re.compile(r"^## (.+)\n((?:(?!## ).*\n?)*)", re.M)
ROW = re.compile(r"^\| (\d{4}) \| ([^|]+) \|", re.M)
WIDTH, TOP, LINE = 360, 24, 24  # in units of the picture, which is stretched to its place
AXIS, TEXT = 46, 152  # where the years stand, and where the names begin


def timeline(text):
    """An SVG with a line for each row, by year: from its place on the axis to a disk with its section's number."""
    sections = [(title, ROW.findall(rest)) for title, rest in SECTION.findall(text)]
    sections = [(title, rows) for title, rows in sections if rows]
    entries = sorted((int(year), k, who) for k, (_, rows) in enumerate(sections, 1) for year, who in rows)
    first, last = 10 * (entries[0][0] // 10), entries[-1][0]
    bottom = TOP + LINE * (len(entries) - 1)

    def at(year):
        return TOP + (year - first) / (last - first) * (bottom - TOP)

    drawn = [f'<line class="axis" x1="{AXIS}" x2="{AXIS}" y1="{at(first):.1f}" y2="{at(last):.1f}"/>']
    for year in range(first, last + 1, 10):
        drawn.append(f'<text class="year" x="{AXIS - 9}" y="{at(year) + 4:.1f}">{year}</text>')
    for row, (year, k, who) in enumerate(entries):
        y, there = TOP + LINE * row, at(year)
        drawn.append(
            f'<g class="part-{k}">'
            f'<path d="M{AXIS} {there:.1f}C{AXIS + 50} {there:.1f} {TEXT - 66} {y} {TEXT - 24} {y}"/>'
            f'<circle cx="{AXIS}" cy="{there:.1f}" r="3.5"/>{disk(k, y)}'
            f'<text x="{TEXT}" y="{y + 4}"><tspan class="when">{year}</tspan> {escape(who)}</text></g>'
        )
    for k, (title, _) in enumerate(sections, 1):
        y = bottom + LINE * (k + 0.6)
        drawn.append(
            f'<g class="part-{k}">{disk(k, y)}<text class="title" x="{TEXT}" y="{y + 4}">{escape(title)}</text></g>'
        )
    said = "; ".join(f"{title}: " + ", ".join(f"{who} {year}" for year, who in rows) for title, rows in sections)
    label = escape(f"Timeline, {first} to {last}. {said}. What each added is in the tables below.")
    height = bottom + LINE * (len(sections) + 1.6)
    body = "\n".join(drawn)
    return f'<svg class="timeline" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}">\n{body}\n</svg>'


def disk(k, y):
    """The number of a section, before a name."""
    return f'<circle cx="{TEXT - 16}" cy="{y}" r="8"/><text class="part" x="{TEXT - 16}" y="{y + 3.7}">{k}</text>'

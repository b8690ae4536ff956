"""The timeline of a page of history: drawn from its tables, whose first two columns are a year and who."""

import re
from html import escape

ROW = re.compile(r"^\| (\d{4}) \| ([^|]+) \|", re.M)
WIDTH, TOP, LINE = 360, 30, 24  # in units of the picture, which is stretched to its place
AXIS, TEXT = 58, 150  # where the years stand, and where the names begin


def timeline(text):
    """An SVG with an entry for each row: a dot at its year, and a line from there to its name.

    Each section has its own colour, which comes from the style sheet, and its title above its entries.
    """
    sections = [(title, ROW.findall(rest)) for title, rest in re.findall(r"^## (.+)\n((?:(?!## ).*\n?)*)", text, re.M)]
    sections = [(title, rows) for title, rows in sections if rows]
    years = [int(year) for _, rows in sections for year, _ in rows]
    height = TOP + LINE * (len(years) + 1.4 * len(sections))
    first, last = 10 * (min(years) // 10), max(years)

    def at(year):
        return TOP + (year - first) / (last - first) * (height - 2 * TOP)

    drawn = [f'<line class="axis" x1="{AXIS}" x2="{AXIS}" y1="{at(first):.0f}" y2="{at(last):.0f}"/>']
    for year in range(first, last + 1, 10):
        drawn.append(f'<text class="year" x="{AXIS - 10}" y="{at(year) + 4:.0f}">{year}</text>')
    y = TOP
    for k, (title, rows) in enumerate(sections):
        drawn.append(f'<g class="part-{k}"><text class="title" x="{TEXT}" y="{y + 4:.0f}">{escape(title)}</text>')
        for year, who in rows:
            y += LINE
            there = at(int(year))
            drawn.append(
                f'<path d="M{AXIS} {there:.1f} C{AXIS + 45} {there:.1f} {TEXT - 50} {y:.1f} {TEXT - 6} {y:.1f}"/>'
                f'<circle cx="{AXIS}" cy="{there:.1f}" r="4"/>'
                f'<text x="{TEXT}" y="{y + 4:.1f}"><tspan class="when">{year}</tspan> {escape(who)}</text>'
            )
        drawn.append("</g>")
        y += 1.4 * LINE
    said = "; ".join(f"{title}: " + ", ".join(f"{who} {year}" for year, who in rows) for title, rows in sections)
    label = escape(f"Timeline, {first} to {last}. {said}. What each added is in the tables below.")
    body = "\n".join(drawn)
    return f'<svg class="timeline" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{label}">\n{body}\n</svg>'

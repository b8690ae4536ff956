// A gradient check as a film: a board of quantities by steps, filled in the order of the walk back.
numseq.picture((stage, data, context) => {
  const { element, svg, short } = numseq;
  const CELL = 24, LEFT = 12 + 7.4 * Math.min(34, Math.max(...data.rows.map((name) => name.length))), TOP = 24;
  const count = data.end + 1;
  const right = (k) => data.cells[k][2] !== null && data.cells[k][2] <= data.tolerance;
  const cut = (name) => (name.length > 34 ? `…${name.slice(-33)}` : name);
  const named = (k) => { const [r, c] = data.cells[k]; return `${data.rows[r]}${data.columns[c] === "–" ? "" : ` at t = ${data.columns[c]}`}`; };
  const error = (k) => (data.cells[k][2] === null ? "not finite" : short(data.cells[k][2]));

  const film = numseq.player("looked at", count, { value: count - 1, role: "frame", say: (k) => `${k + 1} of ${data.cells.length}: ${named(k)}`,
    pause: Math.max(30, Math.min(350, 9000 / count)), change: () => paint() });
  const { node, box } = numseq.drawing(LEFT + data.columns.length * CELL + 14, TOP + data.rows.length * CELL + 8,
    `${data.rows.length} quantities by ${data.columns.length} steps`, { least: LEFT + data.columns.length * CELL, role: "board" });
  node.append(...data.rows.map((name, r) => svg("text", { x: LEFT - 6, y: TOP + (r + 0.5) * CELL + 4, "text-anchor": "end", class: "label" }, cut(name))),
    ...data.columns.map((name, c) => svg("text", { x: LEFT + (c + 0.5) * CELL, y: TOP - 7, "text-anchor": "middle", class: "small" }, name)));
  const marks = data.cells.map(([r, c], k) => {
    const x = LEFT + c * CELL, y = TOP + r * CELL;
    const rect = svg("rect", { x: x + 2, y: y + 2, width: CELL - 4, height: CELL - 4, rx: 3 });
    const sign = svg("text", { x: x + CELL / 2, y: y + CELL / 2 + 5, "text-anchor": "middle", class: "sign" });
    const mark = svg("g", { class: "mark-cell", "data-role": "cell", "data-k": k }, rect, sign);
    context.tooltip(mark, () => (k > film.value ? `${named(k)}: not looked at yet` : `${named(k)}: relative error ${error(k)}`));
    mark.addEventListener("click", () => film.set(Math.min(k, count - 1)));
    node.append(mark);
    return { mark, sign };
  });
  const [r, c] = data.cells[data.end];
  const ring = svg("circle", { cx: LEFT + (c + 0.5) * CELL, cy: TOP + (r + 0.5) * CELL, r: CELL * 0.75, class: "ring", "data-role": "ring" });
  node.append(ring);
  const panel = element("div", { class: "panel", "data-role": "told", "aria-live": "polite" });
  stage.append(element("div", { class: "controls" }, film.node), box,
    element("p", { class: "note" }, `✓ right, ✗ wrong: a relative error above ${short(data.tolerance)}. A column is a time step, – has no time. The walk back begins at the last step.`), panel);

  function paint() {
    const now = film.value, stopped = !data.ok && now === data.end;
    marks.forEach(({ mark, sign }, k) => {
      const seen = k <= now;
      mark.setAttribute("class", `mark-cell ${seen ? (right(k) ? "right" : "wrong") : "open"}${k === now ? " now" : ""}`);
      sign.textContent = seen ? (right(k) ? "✓" : "✗") : "";
    });
    ring.style.display = stopped ? "" : "none";
    const said = stopped ? data.first : [];
    const left = data.cells.length - count;
    panel.replaceChildren(
      element("p", { "data-role": "verdict" }, stopped ? `The first that is wrong: ${named(now)}, relative error ${error(now)}.`
        : data.ok && now === data.end ? `All ${count} are right.` : `${named(now)}: right, relative error ${error(now)}.`),
      ...said.map(([kind, text]) => element("p", { class: kind === "equation" ? "equation" : null, "data-role": kind }, kind === "equation" ? `It should be: ${text}` : text)),
      ...(stopped && left ? [element("p", { class: "note" }, `${left} more come after it on the way back: what they are made of is wrong already, so they are not asked.`)] : []));
  }
  paint();
  return paint;
});

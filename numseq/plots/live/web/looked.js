// Where a model looked beside what moves its scores: two maps, and the chosen step's two rows as bars at the text.
numseq.picture((stage, data, context) => {
  const { element, svg, short, shown } = numseq;
  const S = data.source.length, T = data.target.length;
  const limits = { alpha: Math.max(...data.alpha.flat()), share: Math.max(...data.share.flat()) };
  const state = { t: 0 };
  const percent = (x) => `${(100 * x).toFixed(x < 0.0995 ? 1 : 0)}%`;
  const largest = (line) => line.indexOf(Math.max(...line));

  const where = numseq.slider("step", T, { role: "step", say: (t) => `${t}: ${shown(data.target[t])}`,
    change: (t) => { state.t = t; paint(); } });
  const maps = [["alpha", "Looked at: attention weights"], ["share", "Moved by: share of the gradient"]].map(([name, words]) => {
    const cell = 15, left = 12 + 7 * Math.max(...data.target.map((token) => shown(token).slice(0, 12).length)), top = 34, wide = left + S * cell + 4, tall = top + T * cell + 4;
    const long = Math.max(...data.source.map((token) => shown(token).length)) > 2;
    const { node, box } = numseq.drawing(wide, tall, `${words}: a row for each of ${T} steps, a column for each of ${S} source tokens`,
      { least: left + S * 11, role: `map-${name}` });
    const letters = data.source.map((token, j) => svg("text", long
      ? { x: 0, y: 0, transform: `translate(${left + (j + 0.7) * cell} ${top - 5}) rotate(-60)` }
      : { x: left + (j + 0.5) * cell, y: top - 6, "text-anchor": "middle" }, shown(token).slice(0, 5)));
    const names = data.target.map((token, t) => svg("text", { x: left - 5, y: top + (t + 0.5) * cell + 4, "text-anchor": "end" },
      shown(token).slice(0, 12)));
    const cells = data[name].map((line, t) => line.map((_, j) => svg("rect", { x: left + j * cell, y: top + t * cell, width: cell, height: cell })));
    const frame = svg("rect", { class: "frame", x: left, width: S * cell, height: cell });
    const hits = data.target.map((_, t) => {
      const hit = svg("rect", { x: 0, y: top + t * cell, width: wide, height: cell, fill: "transparent", class: "hit" });
      hit.addEventListener("click", () => { state.t = t; paint(); });
      return hit;
    });
    node.append(...letters, ...names, svg("g", { class: "strip" }, ...cells.flat(),
      svg("rect", { class: "edge", x: left, y: top, width: S * cell, height: T * cell })), frame, ...hits);
    return { name, cells, node, place: (t) => frame.setAttribute("y", top + t * cell),
      whole: element("div", { class: "half" }, element("p", { class: "head" }, words), box) };
  });

  // bars: attention above the text, influence below it
  const WIDE = 24, HIGH = 66, MIDDLE = HIGH + 24, word = Math.max(...data.source.map((token) => shown(token).length));
  const step = Math.max(WIDE, 7.5 * Math.min(word, 12) + 6);
  const bars = numseq.drawing(S * step + 8, 2 * HIGH + 42, "bars of the chosen step: attention above the text, influence below",
    { least: 0.72 * S * step, role: "bars" });
  const columns = data.source.map((token, j) => {
    const [above, below] = ["looked", "moved"].map((name) => svg("rect", { class: `bar-${name}`, x: 4 + j * step + 3, width: step - 6, "data-role": `bar-${name}` }));
    const text = svg("text", { x: 4 + (j + 0.5) * step, y: MIDDLE + 1, "text-anchor": "middle", class: "name" }, shown(token).slice(0, 12));
    bars.node.append(above, below, text);
    const hit = svg("rect", { x: 4 + j * step, y: 0, width: step, height: 2 * HIGH + 42, fill: "transparent" });
    context.tooltip(hit, () => `${j}: ${shown(token)}\nlooked at: ${percent(data.alpha[state.t][j])}\nmoved by: ${percent(data.share[state.t][j])}`);
    bars.node.append(hit);
    return { above, below };
  });
  const panel = element("div", { class: "panel", "data-role": "row", "aria-live": "polite" });
  stage.append(element("div", { class: "controls" }, where.node), element("div", { class: "halves" }, ...maps.map((map) => map.whole)),
    element("p", { class: "note" }, `Paper is 0. The strongest orange is ${percent(limits.alpha)} of a row on the map of attention, ${percent(limits.share)} on that of the gradient.`),
    element("p", { class: "keys" }, element("span", { class: "key-looked", "aria-hidden": "true" }), "above: looked at, alpha ",
      element("span", { class: "key-moved", "aria-hidden": "true" }), "below: moved by, the gradient's norm"),
    bars.box, panel, element("p", { "data-role": "sentence" }, data.sentence));

  function paint() {
    const { t } = state, alpha = data.alpha[t], share = data.share[t];
    where.set(t, true);
    for (const map of maps) {
      map.place(t);
      map.cells.forEach((row, k) => row.forEach((cell, j) => cell.setAttribute("fill", numseq.colour(data[map.name][k][j], limits[map.name], context.scheme))));
    }
    columns.forEach(({ above, below }, j) => {
      for (const [bar, x, top] of [[above, alpha[j], true], [below, share[j], false]]) {
        const height = (HIGH * x) / Math.max(...alpha, ...share);
        bar.setAttribute("height", height.toFixed(2));
        bar.setAttribute("y", (top ? MIDDLE - 18 - height : MIDDLE + 9).toFixed(2));
      }
    });
    const [a, b] = [largest(alpha), largest(share)], r = data.correlation[t];
    const place = (j) => `“${shown(data.source[j])}” at ${j}`;
    const same = a === b ? `${place(a)} was looked at most, with ${percent(alpha[a])} of the weight, and moves the score most, with ${percent(share[a])} of the gradient.`
      : `${place(a)} was looked at most, with ${percent(alpha[a])} of the weight and ${percent(share[a])} of the gradient; ${place(b)} moves the score most, with ${percent(share[b])} and ${percent(alpha[b])} of the weight.`;
    panel.replaceChildren(
      element("p", { "data-role": "said" }, `Step ${t}, the score of “${shown(data.target[t])}”: ${same}`),
      element("p", { "data-role": "correlation" }, r === null ? "One of the two rows is all the same: they have no rank correlation." : `Rank correlation of the two rows: ${short(r, 2)}`),
      element("p", { class: "note" }, "1 is the same order, 0 none, −1 the opposite. Attention is not influence: a state that is looked at was made of the text around it, and the decoder's own state brings what was read before."));
  }
  paint();
  return paint;
});

// Gates under the text: a map of units by characters, a span that is marked, and where else its units stay open.
numseq.picture((stage, data, context) => {
  const { element, svg, short, shown } = numseq;
  const OPEN = 5, SPAN = 3, WIDE = 17, TALL = Math.max(5, Math.min(14, Math.floor(300 / data.units.length)));
  const state = { quantity: 0, text: 0, from: 0, to: 0, unit: null, drag: null };
  const text = () => data.texts[state.text];
  show(0, data.quantities.map((_, k) => k).filter(isGate));
  const said = (tokens) => tokens.map(shown).join("");

  const which = numseq.select("quantity", data.quantities.map((one) => one.name), { value: state.quantity, role: "quantity",
    change: (k) => { state.quantity = k; draw(); } });
  const sentence = numseq.select("text", data.texts.map((tokens, k) => `${k}: ${said(tokens).slice(0, 40)}`), { role: "text",
    change: (k) => { show(k, [state.quantity]); draw(); } });
  const from = numseq.slider("span from", 1, { role: "from", say: (t) => shown(text()[t] || ""),
    change: (t) => { state.from = t; state.to = Math.max(t, state.to); mark(); } });
  const to = numseq.slider("to", 1, { role: "to", say: (t) => shown(text()[t] || ""),
    change: (t) => { state.to = t; state.from = Math.min(t, state.from); mark(); } });
  const legend = numseq.legend();
  const map = element("div", { "data-role": "map-place" });
  const panel = element("div", { class: "panel", "data-role": "open", "aria-live": "polite" });
  const notes = [];
  if (data.units.length < data.of) notes.push(`the ${data.units.length} of ${data.of} units that change most`);
  if (data.left_out) notes.push(`the first ${data.texts.length} texts`);
  stage.append(element("div", { class: "controls" }, which.node, sentence.node, legend.node),
    element("div", { class: "controls" }, from.node, to.node),
    ...(notes.length ? [element("p", { class: "note" }, `Shown are ${notes.join(", ")}.`)] : []), map, panel);

  let columns = [], names = [], cells = [];
  function go(k, start, end) {
    Object.assign(state, { text: k, from: start, to: end });
    sentence.set(k);
    draw();
  }

  function draw() {
    const tokens = text(), n = data.units.length, left = 44, top = 24;
    const { node, box } = numseq.drawing(left + tokens.length * WIDE + 8, top + n * TALL + 6,
      `${data.quantities[state.quantity].name} of ${n} units under ${said(tokens)}`, { least: left + tokens.length * WIDE, role: "map" });
    node.style.width = `${left + tokens.length * WIDE + 8}px`;
    columns = tokens.map((token, t) => {
      const back = svg("rect", { x: left + t * WIDE, y: 1, width: WIDE, height: top - 3, class: "token" });
      const letter = svg("text", { x: left + (t + 0.5) * WIDE, y: 16, "text-anchor": "middle" }, shown(token).slice(0, 3));
      const hit = svg("rect", { x: left + t * WIDE, y: 0, width: WIDE, height: top + n * TALL, fill: "transparent", "data-role": "column", "data-t": t });
      return { back, letter, hit };
    });
    names = data.units.map((unit, k) => svg("text", { x: left - 6, y: top + (k + 0.5) * TALL + 4, "text-anchor": "end", class: "small" },
      TALL >= 10 || k % Math.ceil(11 / TALL) === 0 ? String(unit) : ""));
    cells = data.units.map((_, k) => tokens.map((_, t) => svg("rect", { x: left + t * WIDE, y: top + k * TALL, width: WIDE, height: TALL })));
    const stripes = svg("g", { class: "strip" }, ...cells.flat());
    node.append(...columns.map((one) => one.back), ...columns.map((one) => one.letter), ...names, stripes,
      svg("rect", { class: "span", "data-role": "span" }), svg("g", { class: "picked" }), ...columns.map((one) => one.hit));
    columns.forEach((one, t) => {
      one.hit.addEventListener("pointerdown", () => { state.drag = t; state.from = state.to = t; mark(); });
      one.hit.addEventListener("pointerenter", () => {
        if (state.drag === null) return;
        [state.from, state.to] = [Math.min(state.drag, t), Math.max(state.drag, t)];
        mark();
      });
    });
    map.replaceChildren(box);
    for (const control of [from, to]) control.resize(tokens.length);
    mark();
  }
  window.addEventListener("pointerup", () => { state.drag = null; });

  // The units that are open at every step of the span, the furthest above their mean; of a state, those far from 0 too.
  function opened() {
    const one = data.quantities[state.quantity], lines = one.values[state.text].slice(state.from, state.to + 1);
    const found = data.units.map((_, k) => ({ k, above: Math.min(...lines.map((line) => line[k])) - one.mean[k] }));
    return found.filter((unit) => unit.above > 0).sort((a, b) => b.above - a.above).slice(0, OPEN);
  }

  // A gate is never below 0.
  function isGate(k) {
    return data.quantities[k].values.every((lines) => lines.every((line) => line.every((x) => x >= 0)));
  }

  // A text, and the span of it whose units are open the furthest, of one of these quantities: of all, where there are none.
  function show(text, quantities) {
    const spans = (quantities.length ? quantities : data.quantities.map((_, k) => k)).flatMap((quantity) => {
      const last = Math.max(0, data.texts[text].length - SPAN);
      return Array.from({ length: last + 1 }, (_, from) => {
        Object.assign(state, { text, quantity, from, to: Math.min(from + SPAN, data.texts[text].length) - 1 });
        const units = opened();
        return { quantity, from, to: state.to, found: elsewhere(units).length > 0, above: units.reduce((sum, one) => sum + one.above, 0) };
      });
    });
    const { quantity, from, to } = spans.sort((a, b) => b.found - a.found || b.above - a.above)[0];
    Object.assign(state, { quantity, from, to });
  }

  // For each other text the longest run of steps in which those units stay open.
  function elsewhere(units) {
    if (!units.length) return [];
    const one = data.quantities[state.quantity];
    const mean = (line) => units.reduce((sum, { k }) => sum + line[k], 0) / units.length;
    const usual = mean(one.mean);
    const lowest = Math.min(...one.values[state.text].slice(state.from, state.to + 1).map(mean));
    const level = (usual + lowest) / 2, least = Math.ceil((state.to - state.from + 1) / 2);
    return one.values.map((lines, text) => {
      let best = { text, length: 0 };
      let start = null;
      [...lines, null].forEach((line, t) => {
        const open = line !== null && mean(line) >= level;
        if (open && start === null) start = t;
        if (!open && start !== null) {
          if (t - start > best.length) best = { text, start, end: t - 1, length: t - start };
          start = null;
        }
      });
      return best;
    }).filter((run) => run.text !== state.text && run.length >= least).sort((a, b) => b.length - a.length);
  }

  function mark() {
    from.set(state.from, true);
    to.set(state.to, true);
    paint();
  }

  function paint() {
    const one = data.quantities[state.quantity], lines = one.values[state.text], units = opened();
    legend.set(one.limit, context.scheme);
    cells.forEach((row, k) => row.forEach((cell, t) => cell.setAttribute("fill", numseq.colour(lines[t][k], one.limit, context.scheme))));
    columns.forEach((column, t) => column.back.classList.toggle("marked", t >= state.from && t <= state.to));
    const span = map.querySelector(".span"), left = 44, top = 24;
    for (const [name, value] of Object.entries({ x: left + state.from * WIDE, y: 1, width: (state.to - state.from + 1) * WIDE,
      height: top + data.units.length * TALL })) span.setAttribute(name, value);
    const picked = new Set(units.map((unit) => unit.k));
    const crowded = (k) => TALL < 10 && (k % Math.ceil(11 / TALL) !== 0 || picked.has(k - 1) || picked.has(k + 1));
    names.forEach((name, k) => {
      name.classList.toggle("open", picked.has(k));
      name.textContent = picked.has(k) || !crowded(k) ? String(data.units[k]) : "";
    });
    const marked = said(text().slice(state.from, state.to + 1));
    const head = units.length
      ? `${one.name}: under “${marked}”, open above their mean: unit${units.length > 1 ? "s" : ""} ${units.map(({ k }) => data.units[k]).join(", ")}`
      : `${one.name}: no unit is above its mean at every step of “${marked}”`;
    const runs = elsewhere(units);
    panel.replaceChildren(element("p", { "data-role": "units" }, head),
      element("p", { class: "note" }, !units.length ? "" : runs.length ? "They stay open in" : "They stay open in no other text for half as long."),
      element("ul", { class: "found" }, ...runs.map((run) => {
        const tokens = data.texts[run.text];
        const parts = [tokens.slice(0, run.start), tokens.slice(run.start, run.end + 1), tokens.slice(run.end + 1)].map(said);
        return element("li", {}, element("button", { type: "button", "data-role": "found", onclick: () => go(run.text, run.start, run.end) },
          parts[0], element("mark", {}, parts[1]), parts[2]));
      })));
  }
  draw();
  return paint;
});

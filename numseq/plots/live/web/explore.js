// The microscope: a row for each quantity; the one that is chosen is shown in full, over all steps.
numseq.picture((stage, data, context) => {
  const { element, short, shown } = numseq;
  const read = data.parts[data.start].tokens[0].filter((token) => token !== "").length; // behind it there is padding
  const state = { part: data.start, row: 0, t: Math.floor(read / 2), quantity: 0 }; // at first a state is 0
  const part = () => data.parts[state.part];
  const tokens = () => part().tokens[state.row];

  const which = numseq.select("part", data.parts.map((one) => one.name), { value: state.part, role: "part",
    change: (k) => { state.part = k; choose(); } });
  const example = numseq.select("example", [], { role: "example", change: (k) => { state.row = k; paint(); } });
  const where = numseq.slider("step", 1, { role: "step", say: (t) => `${t}: ${shown(tokens()[t] || "")}`,
    change: (t) => { state.t = t; paint(); } });
  const legend = numseq.legend();
  const list = element("div", { class: "rows", "data-role": "quantities" });
  const panel = element("div", { class: "panel", "data-role": "equation" });
  stage.append(element("div", { class: "controls" }, which.node, example.node, where.node),
    ...(data.notes ? [element("p", { class: "note", "data-role": "left-out" }, data.notes)] : []), list, panel);
  let rows = [];

  function choose() {
    const { quantities, kept, tokens: lines } = part();
    state.row = Math.min(state.row, lines.length - 1);
    state.t = Math.min(state.t, lines[state.row].length - 1);
    state.quantity = Math.max(0, quantities.findIndex((one) => one.name === "h" || one.name === "alpha"));
    example.fill(lines.map((line, k) => `${k}${/^\d+$/.test(line[0]) ? "" : `: ${line.slice(0, 12).map(shown).join("")}`}`), state.row);
    where.resize(lines[state.row].length);
    where.set(state.t, true);
    rows = quantities.map((one, k) => {
      const strips = [one.values, one.gradients].map((numbers, back) => {
        const count = numbers ? numbers[0][0].length : 1;
        const strip = numseq.strip(0, 0, 240, 18, count, back ? "gradient-strip" : "strip");
        const drawn = numseq.svg("svg", { viewBox: "-1 -1 242 20", preserveAspectRatio: "none", "aria-hidden": "true" }, strip.node);
        return { strip, drawn };
      });
      const button = element("button", { type: "button", "data-role": "quantity", "data-name": one.name, onclick: () => { state.quantity = k; paint(); } }, one.name);
      context.tooltip(button, () => `${one.equation}\n${one.remark}`.trim());
      const node = element("div", { class: "row" }, button, strips[0].drawn, ...(kept ? [strips[1].drawn] : []));
      return { node, button, strips };
    });
    const head = element("div", { class: "row head", "aria-hidden": "true" }, element("span", {}, ""), element("span", {}, "value"),
      ...(kept ? [element("span", {}, "gradient of the loss by it")] : []));
    list.replaceChildren(head, ...rows.map((row) => row.node));
    list.classList.toggle("kept", kept);
    paint();
  }

  function paint() {
    const { t, row } = state;
    where.set(t, true);
    part().quantities.forEach((one, k) => {
      rows[k].strips[0].strip.set(one.values && one.values[row][t], one.limit, context.scheme);
      rows[k].strips[1].strip.set(one.gradients && one.gradients[row][t], one.gradient_limit, context.scheme);
      rows[k].button.setAttribute("aria-pressed", k === state.quantity);
    });
    const one = part().quantities[state.quantity];
    panel.replaceChildren(...[
      element("p", { class: "equation", "data-role": "equation-text" }, one.equation),
      one.remark ? element("p", { class: "note" }, one.remark) : null,
      ...told(one, one.values, one.limit, one.name, "numbers"),
      one.gradients ? element("p", { class: "equation", "data-role": "gradient-text" }, one.backward) : null,
      ...told(one, one.gradients, one.gradient_limit, `d${one.name}`, "gradient-numbers"),
    ].filter(Boolean));
  }

  // The numbers at this step, and a map of them over all steps.
  function told(one, numbers, limit, called, role) {
    if (!numbers) return [];
    const { t, row } = state, lines = numbers[row], T = lines.length, n = lines[0].length;
    const now = lines[t];
    const size = one.shape.length ? one.shape.join(" × ") : "1";
    const canvas = element("canvas", { width: T, height: n, role: "img", class: "map", "data-role": `${role}-map`,
      "aria-label": `${called} over ${T} steps, ${n} numbers each; at step ${t}: from ${short(Math.min(...now))} to ${short(Math.max(...now))}`,
      style: `height: ${Math.min(160, Math.max(14, 6 * n))}px` });
    const pen = canvas.getContext("2d");
    lines.forEach((line, k) => line.forEach((x, unit) => {
      pen.fillStyle = numseq.colour(x, limit, context.scheme);
      pen.fillRect(k, unit, 1, 1);
    }));
    canvas.addEventListener("click", (event) => {
      state.t = Math.min(T - 1, Math.floor((event.offsetX / canvas.clientWidth) * T));
      paint();
    });
    const mark = element("span", { class: "mark", style: `left: ${(100 * t) / T}%; width: ${100 / T}%` });
    const scale = numseq.legend();
    scale.set(limit, context.scheme);
    return [
      element("p", { class: "numbers", "data-role": role, tabindex: 0, "aria-label": `${called} at step ${t}` }, now.map((x) => short(x)).join("  ")),
      element("p", { class: "note" }, `${called} at every step, ${size} numbers each; the frame is step ${t} `, scale.node),
      element("div", { class: "over" }, canvas, mark),
    ];
  }
  choose();
  return paint;
});

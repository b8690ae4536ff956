// The cell as a machine: boxes are quantities, wires lead from each to what reads it.
numseq.picture((stage, data, context) => {
  const { element, svg, short, shown } = numseq;
  const [wide, tall] = data.box;
  const T = data.tokens.length;
  const state = { t: Math.floor(T / 2), back: false, node: data.nodes.length - 1, pinned: false }; // at first a state is 0

  const where = numseq.slider("step", T, { value: state.t, role: "step", say: (t) => `${t}: ${shown(data.tokens[t])}`,
    change: (t) => { state.t = t; paint(); } });
  const way = numseq.choice("show", ["forward", "backward"], { role: "way",
    change: (k) => { state.back = k === 1; paint(); } });
  if (!data.backward) way.disable(1);
  const legend = numseq.legend();
  const words = element("div", { class: "text", "data-role": "tokens", "aria-hidden": "true" }, ...data.tokens.map((token, t) =>
    element("button", { type: "button", tabindex: -1, "data-role": "token", onclick: () => where.set(t) }, shown(token))));

  const { node: drawing, box } = numseq.drawing(data.width, data.height, `${data.title}, drawn`, { least: 620 });
  drawing.setAttribute("role", "group");
  const defs = svg("defs");
  const marker = (id, d) => defs.append(svg("marker", { id, viewBox: "0 0 8 8", refX: d ? 7 : 1, refY: 4, markerWidth: 9,
    markerHeight: 9, orient: "auto", markerUnits: "userSpaceOnUse" }, svg("path", { d: d ? "M0 0L8 4L0 8z" : "M8 0L0 4L8 8z", class: "head" })));
  const tag = numseq.id();
  marker(`${tag}-to`, true);
  marker(`${tag}-from`, false);
  drawing.append(defs);

  function path(points) {
    let d = `M${points[0]}`;
    for (let k = 1; k < points.length; k += 1) {
      const [x0, y0] = points[k - 1], [x1, y1] = points[k], half = (x0 + x1) / 2;
      d += y0 === y1 ? `L${x1} ${y1}` : `C${half} ${y0} ${half} ${y1} ${x1} ${y1}`;
    }
    return d;
  }
  const index = Object.fromEntries(data.nodes.map((node, k) => [node.name, k]));
  const corner = (name) => [data.nodes[index[name]].x + wide, data.nodes[index[name]].y + tall / 2];
  const wires = [...data.wires, ...data.ends.map((end) => ({ from: end.from, to: null, points: [corner(end.from), [end.x, end.y]] }))]
    .map((wire) => {
      const d = path(wire.points);
      const line = svg("path", { d, class: "wire", fill: "none" });
      const touch = svg("path", { d, class: "touch", fill: "none", "data-role": "wire", "data-name": wire.from });
      touch.addEventListener("pointerenter", () => point(index[wire.from]));
      drawing.append(line, touch);
      return { ...wire, line };
    });

  const nodes = data.nodes.map((node, k) => {
    const count = node.values ? node.values[0].length : 1;
    const strip = numseq.strip(node.x + 6, node.y + 22, wide - 12, tall - 28, count, "strip");
    const name = svg("text", { x: node.x + 6, y: node.y + 15, class: "name" });
    const group = svg("g", { class: "node", tabindex: 0, role: "button", "data-role": "quantity", "data-name": node.name },
      svg("rect", { x: node.x, y: node.y, width: wide, height: tall, rx: 5, class: "box" }), name,
      strip.node);
    group.addEventListener("pointerenter", () => point(k));
    group.addEventListener("focus", () => point(k));
    group.addEventListener("click", () => { state.pinned = !(state.pinned && state.node === k); state.node = k; paint(); });
    group.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") { event.preventDefault(); group.dispatchEvent(new Event("click")); }
    });
    drawing.append(group, svg("text", { x: node.x + wide - 6, y: node.y + 15, class: "small signs", "text-anchor": "end", "aria-hidden": "true" }, node.signs));
    return { group, strip, name };
  });
  function point(k) {
    if (state.pinned) return;
    state.node = k;
    paint();
  }

  const panel = element("div", { class: "panel", "data-role": "equation" });
  const units = data.units[0] < data.units[1]
    ? element("p", { class: "note" }, `Of each quantity the first ${data.units[0]} of ${data.units[1]} units are shown.`) : null;
  stage.append(...[element("div", { class: "controls" }, where.node, way.node, legend.node), units, words, box, panel].filter(Boolean));

  const norm = (values) => Math.sqrt(values.reduce((sum, x) => sum + (x || 0) ** 2, 0));
  const largest = Object.fromEntries(data.nodes.map((node) => [node.name,
    node.gradients ? Math.max(1e-30, ...node.gradients.map(norm)) : 0]));

  function paint() {
    const { t, back, node: chosen } = state;
    data.nodes.forEach((node, k) => {
      const values = back ? node.gradients : node.values;
      const now = values ? values[t] : null;
      const limit = back ? node.gradient_limit : node.limit;
      const called = back ? `d${node.name}` : node.name;
      nodes[k].strip.set(now, limit, context.scheme);
      nodes[k].name.textContent = called;
      nodes[k].group.classList.toggle("chosen", k === chosen);
      nodes[k].group.classList.toggle("without", !now);
      nodes[k].group.setAttribute("aria-label", `${called}: ${back ? node.backward : node.equation}`);
      nodes[k].group.setAttribute("aria-pressed", state.pinned && k === chosen);
    });
    for (const wire of wires) {
      const node = data.nodes[index[back && wire.to ? wire.from : wire.from]];
      const now = back ? node.gradients : node.values;
      const near = wire.from === data.nodes[chosen].name || wire.to === data.nodes[chosen].name;
      wire.line.setAttribute("class", `wire${back ? " back" : ""}${near ? " near" : ""}${now ? "" : " without"}`);
      wire.line.setAttribute("stroke-width", back && now ? (1.5 + (3.5 * norm(now[t])) / largest[node.name]).toFixed(2) : near ? 2.5 : 1.5);
      wire.line.setAttribute("marker-end", back ? "none" : `url(#${tag}-to)`);
      wire.line.setAttribute("marker-start", back ? `url(#${tag}-from)` : "none");
    }
    [...words.children].forEach((button, k) => button.setAttribute("aria-pressed", k === t));
    const button = words.children[t];
    if (button.offsetLeft < words.scrollLeft || button.offsetLeft + button.offsetWidth > words.scrollLeft + words.clientWidth)
      words.scrollLeft = button.offsetLeft - words.clientWidth / 2;
    tell();
  }

  function tell() {
    const node = data.nodes[state.node], values = state.back ? node.gradients : node.values;
    const limit = state.back ? node.gradient_limit : node.limit;
    legend.set(values ? limit : "limit", context.scheme);
    const lines = [element("p", { class: "equation", "data-role": "equation-text" }, state.back ? node.backward : node.equation)];
    if (!state.back && node.remark) lines.push(element("p", { class: "note" }, node.remark));
    if (values) {
      const now = values[state.t], blocks = data.blocks.length;
      const said = now.slice(0, 64).map((x) => short(x)).join("  ") + (now.length > 64 ? "  …" : "");
      lines.push(element("p", { class: "numbers", "data-role": "numbers" }, said));
      if (blocks > 1 && now.length % blocks === 0 && now.length / blocks === data.units[0])
        lines.push(element("p", { class: "note" }, `side by side: ${data.blocks.join(", ")}, ${now.length / blocks} units each`));
    }
    panel.replaceChildren(...lines);
  }
  paint();
  return paint;
});

// What if: one change, and all that follows from it beside what was before. The cases are in the data, or, where
// context.ask is there, Python decodes them.
numseq.picture((stage, data, context) => {
  const { element, svg, shown, short } = numseq;
  const KINDS = ["source", "force", "look"];
  const live = context.ask !== undefined;
  const state = { kind: "force", j: 0, t: 0, on: false, token: null, found: data.base, asked: 0 };
  const base = data.base, T = base.said.length, S = data.source.length;
  const word = (k) => shown(data.words[k]);
  const share = (x) => (x >= 995 ? "99+" : x >= 100 ? String(Math.round(x / 10)) : x >= 1 ? (x / 10).toFixed(1) : "<0.1") + "%";
  const lists = { source: () => data.changes.source[state.j], force: () => data.changes.force[state.t] };
  const tried = () => (state.kind === "look" ? null : lists[state.kind]());

  // Ask for what follows from a change: `token` at the place that is chosen, or all attention moved to it.
  function change(text) {
    const asked = (state.asked += 1);
    const done = (found) => {
      if (asked === state.asked) show(found);
    };
    state.token = text;
    if (live) context.ask({ kind: state.kind, j: state.j, t: state.t, token: text }, (found) => {
      if (found.words) data.words = found.words;
      if (found.error) trouble(found.error);
      else done(whole(found));
    });
    else done(whole(state.kind === "look" ? data.changes.look[state.t][state.j] : tried().find((one) => one.token === text)));
  }

  // A case with the steps that are as before.
  function whole(found) {
    const steps = (name) => [...base[name].slice(0, found[name][0]), ...found[name][1]];
    return { ...found, best: steps("best"), alpha: steps("alpha"), tree: steps("tree") };
  }
  function show(found) {
    Object.assign(state, { on: true, found });
    paint();
  }
  function back() {
    Object.assign(state, { on: false, found: base, asked: state.asked + 1 });
    paint();
  }
  function trouble(text) {
    back();
    panel.append(element("p", { role: "alert", "data-role": "error" }, text));
  }

  const kind = numseq.choice("change", ["the source", "a token that is said", ...(base.alpha.length ? ["where it looks"] : [])],
    { value: 1, role: "kind", change: (k) => { state.kind = KINDS[k]; arrange(); } });
  const position = numseq.slider("source position", S, { role: "position", say: (j) => `${j}: ${shown((state.kind === "look" ? data.places : data.source)[j])}`,
    change: (j) => { state.j = j; turn(); } });
  const step = numseq.slider("step", T, { role: "step", say: (t) => `${t}: ${word(base.said[t])}`, change: (t) => { state.t = t; turn(); } });
  const token = numseq.select("becomes", [], { role: "token", change: (k) => (k ? change(tried()[k - 1].token) : back()) });
  const go = element("button", { type: "button", "data-role": "go", onclick: () => change(null) }, "move all weight there");
  const undo = element("button", { type: "button", "data-role": "undo", onclick: () => { token.set(0); back(); } }, "as it was");
  const typed = numseq.typed("or type one", { role: "typed", change });
  const line = live ? numseq.typed("source", { role: "line", value: data.line, wide: true, change: (text) => context.ask({ kind: "line", line: text }, (found) => found.error && trouble(found.error)) }) : null;
  const panel = element("div", { class: "panel", "data-role": "texts", "aria-live": "polite" });
  const best = element("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "the most probable tokens of each step" });
  const map = element("div", {}), tree = element("div", {});
  stage.append(...(line ? [element("div", { class: "controls" }, line.node)] : []), element("div", { class: "controls" }, kind.node),
    element("div", { class: "controls" }, step.node, position.node, token.node, ...(live ? [typed.node] : []), go, undo), panel,
    element("p", { class: "head" }, "The most probable tokens at each step"), best,
    element("div", { class: "halves" },
      ...(base.alpha.length ? [element("div", { class: "half" }, element("p", { class: "head" }, "Where it looked"), map)] : []),
      element("div", { class: "half large" }, element("p", { class: "head" }, `The beam search, ${data.beam} kept`), tree)),
    element("p", { class: "note" }, `${live ? "The model decodes as you ask." : "Every case was decoded beforehand by the model itself."} Framed: what is changed. Bold: what differs from before.`));

  function arrange() {
    step.node.hidden = state.kind === "source";
    position.node.hidden = state.kind === "force";
    position.resize(state.kind === "look" ? data.places.length : S);
    token.node.hidden = typed.node.hidden = state.kind === "look";
    go.hidden = state.kind !== "look";
    turn();
  }

  // Another place: all is as it was until something is chosen there; a look that was moved moves on.
  function turn() {
    step.set(state.t, true);
    state.j = Math.min(state.j, (state.kind === "look" ? data.places : data.source).length - 1);
    position.set(state.j, true);
    if (state.kind === "look" && state.on && state.token === null) return change(null);
    if (state.kind !== "look") {
      const now = state.kind === "source" ? shown(data.source[state.j]) : word(base.said[state.t]);
      token.fill([`${now} (as it was)`, ...tried().map((one) => shown(one.token))], 0);
    }
    return back();
  }

  function paint() {
    const { found } = state;
    undo.disabled = !state.on;
    texts(found);
    table(found);
    if (base.alpha.length) looks(found);
    beams(found);
  }

  const marked = (found, other) => found.said.slice(0, -1).map((k, t) => (k === other.said[t] ? word(k) : element("mark", {}, word(k))));
  function joined(parts) {
    return parts.flatMap((part, t) => (t && data.words.some((one) => one.length > 1 && !one.startsWith("<")) ? [" ", part] : [part]));
  }
  function texts(found) {
    const said = { source: () => `“${shown(data.source[state.j])}” at ${state.j} is “${shown(state.token)}”`,
      force: () => `step ${state.t} must say “${shown(state.token)}”`,
      look: () => `step ${state.t} looks at “${shown(data.places[state.j])}” at ${state.j} alone` };
    const source = data.source.map((one, j) => (state.on && state.kind === "source" && j === state.j ? element("mark", {}, shown(state.token)) : shown(one)));
    const same = found.said.length === base.said.length && found.said.every((k, t) => k === base.said[t]);
    const wide = data.source.some((one) => [...one].length > 1);
    panel.replaceChildren(
      element("p", { class: "said", "data-role": "source-text" }, "source: ", ...source.flatMap((one, j) => (j && wide ? [" ", one] : [one]))),
      element("p", { class: "said" }, `before: ${base.text}`, element("span", { class: "faint" }, `  log p ${short(base.logp, 2)}`)),
      element("p", { class: "said", "data-role": "after" }, "after:  ", ...joined(marked(found, base)), element("span", { class: "faint" }, `  log p ${short(found.logp, 2)}`)),
      element("p", { "data-role": "verdict" }, !state.on ? "Nothing is changed. Choose a place and what becomes of it."
        : `If ${said[state.kind]()}: ${same ? "the same text is found" : "another text is found"}; its log-probability goes from ${short(base.logp, 2)} to ${short(found.logp, 2)}.`));
  }

  function table(found) {
    const steps = found.said.map((_, t) => t), at = state.on && state.kind !== "source" ? state.t : -1;
    const rows = Math.max(...found.best.map((row) => row.length));
    const cell = (t, rank) => {
      const one = found.best[t][rank];
      if (!one) return element("td", {});
      const was = base.best[t] && base.best[t][rank];
      const changed = !was || was[0] !== one[0] || Math.abs(was[1] - one[1]) >= 10;
      const chosen = one[0] === found.said[t];
      return element("td", { class: `${chosen ? "chosen" : ""}${changed ? " changed" : ""}` }, `${word(one[0])} `, element("small", {}, share(one[1])));
    };
    best.replaceChildren(element("table", { class: "best", "data-role": "best" },
      element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "says"), ...steps.map((t) => element("th", { scope: "col", class: t === at ? "framed" : null }, word(found.said[t]))))),
      element("tbody", {}, ...Array.from({ length: rows }, (_, rank) => element("tr", {}, element("th", { scope: "row" }, `${rank + 1}.`), ...steps.map((t) => cell(t, rank)))))));
  }

  function looks(found) {
    const cell = 15, n = data.places.length, left = 12 + 7 * Math.max(...found.said.map((k) => word(k).slice(0, 5).length)), top = 22;
    const { node, box } = numseq.drawing(left + n * cell + 4, top + found.said.length * cell + 4, `attention weights of ${found.said.length} steps over ${n} positions`, { least: left + n * 11, role: "map" });
    node.append(...data.places.map((one, j) => svg("text", { x: left + (j + 0.5) * cell, y: top - 6, "text-anchor": "middle" }, shown(state.on && state.kind === "source" && j === state.j && n === S ? state.token : one).slice(0, 2))),
      ...found.said.map((k, t) => svg("text", { x: left - 5, y: top + (t + 0.5) * cell + 4, "text-anchor": "end" }, word(k).slice(0, 5))),
      svg("g", { class: "strip" }, ...found.said.flatMap((_, t) => found.alpha[t].map((x, j) => {
        const rect = svg("rect", { x: left + j * cell, y: top + t * cell, width: cell, height: cell, fill: numseq.colour(x, 1000, context.scheme) });
        if (state.kind === "look" && t < T) {
          rect.setAttribute("class", "hit");
          rect.addEventListener("click", () => { Object.assign(state, { t, j, on: true, token: null }); turn(); });
        }
        return rect;
      })), svg("rect", { class: "edge", x: left, y: top, width: n * cell, height: found.said.length * cell })));
    if (state.kind === "look") node.append(svg("rect", { class: "frame", x: left, y: top + state.t * cell, width: n * cell, height: cell }),
      svg("rect", { class: "frame aim", x: left + state.j * cell, y: top + state.t * cell, width: cell, height: cell }));
    map.replaceChildren(box);
  }

  // The path of what was said through the tree: at each step the node that continues the one before.
  function path(found) {
    const steps = [];
    let at = found.tree[found.said.length - 1].findIndex((one) => one[0] === found.said[found.said.length - 1] && data.fates[one[3]] === "complete" && says(found, found.said.length - 1, one));
    for (let t = found.said.length - 1; t >= 0 && at >= 0; t -= 1) {
      steps[t] = at;
      at = found.tree[t][at][1];
    }
    return steps;
  }
  function says(found, t, one) {
    return one[0] === found.said[t] && (t === 0 || (one[1] >= 0 && says(found, t - 1, found.tree[t - 1][one[1]])));
  }

  function beams(found) {
    const longest = Math.max(...found.tree.flat().map((one) => word(one[0]).length)), step_ = Math.max(38, 22 + 7 * Math.min(longest, 10)), TALL = 24;
    const rows = Math.max(...found.tree.map((row) => row.length)), wide = found.tree.length * step_ + 12 + Math.max(0, 7.5 * Math.min(longest, 10) - step_ + 12);
    const { node, box } = numseq.drawing(wide, rows * TALL + 26, `beam search of ${found.tree.length} steps; best: ${found.text}`, { least: wide, role: "tree" });
    const x = (t) => 8 + t * step_, y = (k) => 30 + k * TALL, best = path(found);
    const kept = (one) => ["kept", "complete"].includes(data.fates[one[3]]);
    const lines = [], texts = [];
    found.tree.forEach((row, t) => {
      texts.push(svg("text", { x: x(t) + 8, y: 11, class: "small", "text-anchor": "middle" }, t));
      row.forEach((one, k) => {
        const on = best[t] === k, name = word(one[0]).slice(0, 10);
        if (t && one[1] >= 0) {
          const from = word(found.tree[t - 1][one[1]][0]).slice(0, 10).length * 7.5;
          lines.push(svg("line", { x1: x(t - 1) + from + 6, y1: y(one[1]) - 4, x2: x(t) - 2, y2: y(k) - 4, class: `branch${on ? " best" : kept(one) ? "" : " dropped"}` }));
        }
        const text = svg("text", { x: x(t), y: y(k), class: `leaf${on ? " best" : kept(one) ? "" : " dropped"}`, "data-role": on ? "best-node" : null }, name);
        context.tooltip(text, () => `${word(one[0])}: log p so far ${short(one[2], 2)}\n${data.fates[one[3]]}`);
        texts.push(text);
      });
    });
    node.append(...lines, ...texts);
    tree.replaceChildren(box);
  }
  arrange();
  return paint;
});

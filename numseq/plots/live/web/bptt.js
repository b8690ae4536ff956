// The film of BPTT: cells side by side, and arrows from right to left as wide as the gradient that they carry.
numseq.picture((stage, data, context) => {
  const { element, svg } = numseq;
  const FLOOR = -8, MOST = 13, LEFT = 62; // decades shown; the widest arrow; room for names
  const nearest = (values, wanted) => values.reduce((best, value, k) => (Math.abs(value - wanted) < Math.abs(values[best] - wanted) ? k : best), 0);
  const state = { length: Math.min(1, data.lengths.length - 1), bias: nearest(data.biases, 1) };
  const T = () => data.lengths[state.length];
  const lanes = () => {
    const lstm = data.lstm[state.length][state.bias];
    return [["RNN", "dh", data.rnn[state.length].dh], ["LSTM", "dc", lstm.dc], ["LSTM", "dh", lstm.dh]];
  };
  const size = (x) => (!x ? "0" : x >= 0.01 && x < 1000 ? x.toFixed(x < 1 ? 3 : 2) : x.toExponential(1).replace("-", "−").replace("+", ""));
  const wide = (x) => (x ? Math.max(0, Math.min(MOST, MOST * 0.75 * (1 - Math.log10(x) / FLOOR))) : 0);
  const said = (k) => `${k} ${k === 1 ? "step" : "steps"} back, t = ${T() - 1 - k}`;

  const film = numseq.player("the gradient is", T(), { role: "frame", say: said, pause: 180, change: () => paint() });
  const length = numseq.slider("length", data.lengths.length, { value: state.length, role: "length", say: (k) => `${data.lengths[k]} steps`,
    change: (k) => { state.length = k; film.stop(); draw(); film.set(T() - 1); } });
  const bias = numseq.slider("forget bias", data.biases.length, { value: state.bias, role: "bias", say: (k) => String(data.biases[k]).replace("-", "−"),
    change: (k) => { state.bias = k; paint(); } });
  const place = element("div", {});
  const panel = element("div", { class: "panel", "data-role": "norms", "aria-live": "polite" });
  const scale = svg("svg", { viewBox: "0 0 330 26", role: "img", "aria-label": "arrows get thinner with each decade", style: "max-width: 330px" },
    ...[0, -2, -4, -6].map((decade, k) => [svg("line", { x1: 4 + 84 * k, x2: 34 + 84 * k, y1: 12, y2: 12, class: "flow", "stroke-width": wide(10 ** decade) }),
      svg("text", { x: 40 + 84 * k, y: 16 }, decade ? `1e${decade}`.replace("-", "−") : "1")]).flat());
  stage.append(element("div", { class: "controls" }, film.node), element("div", { class: "controls" }, bias.node, length.node), place,
    element("p", { class: "note" }, `Widths are logarithmic: norms relative to that of dh where the loss reads it. Thinner than 1e−8: dashed. ${data.sizes[0]} inputs, ${data.sizes[1]} units, mean of ${data.sizes[2]} rows; first values, nothing is trained.`),
    scale, panel);

  let arrows = [], cells = [], follow = () => {};
  function draw() {
    const n = T(), step = Math.max(23, Math.min(70, 760 / n)), box = Math.min(30, step * 0.55);
    const width = LEFT + n * step + 34, ROWS = { RNN: [22, 40], LSTM: [92, 78] };
    const { node, box: holder } = numseq.drawing(width, 192, `an RNN and an LSTM unrolled over ${n} steps, with the gradient that goes back`, { least: Math.min(width, 0.8 * width + 60), role: "film" });
    const at = (t) => LEFT + (t + 0.5) * step;
    const middle = (name, quantity) => (name === "RNN" ? 42 : quantity === "dc" ? 112 : 152);
    cells = []; arrows = [];
    for (const [name, [top, high]] of Object.entries(ROWS)) {
      node.append(svg("text", { x: 2, y: top - 6, class: "name" }, name));
      for (let t = 0; t < n; t += 1) {
        const rect = svg("rect", { x: at(t) - box / 2, y: top, width: box, height: high, rx: 4, class: "cell" });
        cells.push({ rect, t });
        node.append(rect);
        if (n <= 20 || t % 5 === 0 || t === n - 1) node.append(svg("text", { x: at(t), y: top + high + 13, "text-anchor": "middle", class: "small" }, t));
      }
    }
    lanes().forEach(([name, quantity], k) => {
      const y = middle(name, quantity);
      node.append(svg("text", { x: 2, y: y + 4 }, quantity === "dc" ? "dc" : "dh"));
      for (let t = 0; t < n; t += 1) {
        // what has come to step t: from the right, and at the last step from the loss
        const from = t === n - 1 ? at(t) + box / 2 + 24 : at(t + 1) - box / 2, to = at(t) + box / 2;
        const loss = t === n - 1 && quantity === "dc";
        const line = svg("line", { x1: from, x2: to + 4, y1: y, y2: y, class: "flow" });
        const head = svg("path", { class: "tip" });
        if (!loss) node.append(line, head);
        arrows.push({ lane: k, t, line, head, to, y });
      }
    });
    node.append(svg("text", { x: at(n - 1) + box / 2 + 6, y: 20, class: "small" }, "loss"));
    for (let t = 0; t < n; t += 1) {
      const hit = svg("rect", { x: at(t) - step / 2, y: 0, width: step, height: 186, fill: "transparent", class: "hit" });
      hit.addEventListener("click", () => film.set(n - 1 - t));
      context.tooltip(hit, () => `t = ${t}\n${lanes().map(([name, quantity, values]) => `${name} ${quantity}: ${size(values[t])}`).join("\n")}`);
      node.append(hit);
    }
    place.replaceChildren(holder);
    follow = () => { holder.scrollLeft = (at(T() - 1 - film.value) / width) * holder.scrollWidth - holder.clientWidth / 2; };
    film.resize(n);
    paint();
  }

  function paint() {
    const n = T(), now = n - 1 - film.value, found = lanes();
    for (const { rect, t } of cells) {
      rect.classList.toggle("now", t === now);
      rect.classList.toggle("reached", t >= now);
    }
    for (const { lane, t, line, head, to, y } of arrows) {
      const value = found[lane][2][t], width = wide(value), there = t >= now;
      line.style.display = head.style.display = there ? "" : "none";
      line.setAttribute("stroke-width", Math.max(1, width).toFixed(2));
      line.classList.toggle("faint", width < 0.05);
      const half = Math.max(2.5, width * 0.8);
      head.setAttribute("d", `M${to} ${y}l5 ${-half}v${2 * half}z`);
    }
    follow();
    const [rnn, dc, dh] = found.map(([, , values]) => values[now]), f = data.lstm[state.length][state.bias].f;
    const line = (name, text) => element("p", { "data-role": name }, text);
    const more = Math.max(dc, dh) / rnn;
    const compared = more >= 2 ? `The LSTM's larger one is ${size(more)} times as large as the RNN's.`
      : more <= 0.5 ? `The RNN's is ${size(1 / more)} times as large as the LSTM's larger one.` : "Both are of one size.";
    panel.replaceChildren(element("p", {}, `At t = ${now}, ${film.value} ${film.value === 1 ? "step" : "steps"} back from the loss:`),
      line("rnn", `RNN: |dh| = ${size(rnn)}`), line("lstm", `LSTM: |dc| = ${size(dc)}, |dh| = ${size(dh)}; the mean forget gate here is ${size(f[now])}`),
      element("p", { "data-role": "compared" }, film.value ? compared : "Play, or move the slider: the gradient sets out from here."));
  }
  draw();
  film.set(T() - 1);
  return paint;
});

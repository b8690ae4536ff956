// What all live pictures share. KEY and DATA stand above; a picture's own script below calls numseq.picture(draw).
const numseq = (() => {
  const SVG = "http://www.w3.org/2000/svg";
  const run = Math.random().toString(36).slice(2, 8); // the same picture may stand in a page twice
  let made = 0;

  // An element: element("label", {class: "x"}, "text", other); an attribute that is null is left out.
  function fill(node, attributes, children) {
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined) continue;
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child !== null && child !== undefined));
    return node;
  }
  const element = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
  const svg = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);
  const id = () => `numseq-${KEY}-${run}-${(made += 1)}`;

  // A drawing in its own coordinates, which is as wide as the page but no narrower than `least` pixels: then it scrolls.
  function drawing(width, height, label, { least = 0, role = "drawing" } = {}) {
    const node = svg("svg", {
      viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": label, "data-role": role,
      style: `max-width: ${width}px; min-width: ${Math.min(least, width)}px`,
    });
    const box = element("div", { class: "scroll", tabindex: least ? 0 : null, role: least ? "group" : null,
      "aria-label": least ? label : null }, node);
    return { node, box };
  }

  // Colours. Blue is below 0, orange above, and the paper's own colour is 0: readers with any colour vision tell them
  // apart. The ends differ for light and dark paper.
  const ENDS = { light: [[23, 92, 158], [242, 242, 242], [190, 80, 0]],
    dark: [[110, 180, 255], [44, 47, 51], [255, 160, 70]] };
  function colour(value, limit, scheme) {
    if (value === null || value === undefined) return "transparent";
    const [low, zero, high] = ENDS[scheme];
    const x = limit ? Math.max(-1, Math.min(1, value / limit)) : 0;
    const end = x < 0 ? low : high;
    const share = Math.abs(x);
    return `rgb(${zero.map((z, k) => Math.round(z + (end[k] - z) * share)).join(",")})`;
  }

  // A number as people read it.
  function short(value, digits = 3) {
    if (value === null || value === undefined) return "–";
    const size = Math.abs(value);
    const text = size !== 0 && (size < 10 ** -digits || size >= 1e4) ? value.toExponential(1) : value.toFixed(digits);
    return text.replaceAll("-", "−");
  }

  const shown = (token) => (token === " " ? "␣" : token === "\n" ? "↵" : token);

  // Dark is where the text is light, whoever says so: the system, the site's theme, or the notebook's.
  function schemeOf(root) {
    const [r, g, b] = getComputedStyle(root).color.match(/[\d.]+/g).map(Number);
    return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "dark" : "light";
  }

  // Inputs, each with its label. `change` is called with the value.
  function slider(label, count, { value = 0, role = "slider", say = String, change }) {
    const name = id();
    const output = element("output", { for: name, "data-role": `${role}-value` });
    const input = element("input", { type: "range", id: name, min: 0, max: Math.max(0, count - 1), step: 1, value,
      "data-role": role });
    const back = element("button", { type: "button", "aria-label": `${label}: one back`, "data-role": `${role}-back`,
      onclick: () => set(Number(input.value) - 1) }, "‹");
    const ahead = element("button", { type: "button", "aria-label": `${label}: one ahead`, "data-role": `${role}-ahead`,
      onclick: () => set(Number(input.value) + 1) }, "›");
    function show() {
      const at = Number(input.value);
      output.textContent = say(at);
      input.setAttribute("aria-valuetext", say(at));
    }
    function set(at, quiet) {
      input.value = Math.max(0, Math.min(Number(input.max), at));
      show();
      if (!quiet) change(Number(input.value));
    }
    function resize(now) {
      input.max = Math.max(0, now - 1);
      set(Number(input.value), true);
    }
    input.addEventListener("input", () => set(Number(input.value)));
    show();
    return { node: element("span", { class: "control" }, element("label", { for: name }, label), back, input, ahead,
      output), set, resize, get value() { return Number(input.value); } };
  }

  function select(label, options, { value = 0, role = "select", change }) {
    const name = id();
    const input = element("select", { id: name, "data-role": role, onchange: () => change(Number(input.value)) });
    function fillWith(texts, at) {
      input.replaceChildren(...texts.map((text, k) => element("option", { value: k }, text)));
      input.value = at;
    }
    fillWith(options, value);
    return { node: element("span", { class: "control" }, element("label", { for: name }, label), input), fill: fillWith,
      set(at) { input.value = at; }, get value() { return Number(input.value); } };
  }

  // A text to type: change(text), when Enter is pressed or the button.
  function typed(label, { value = "", role = "typed", wide = false, change }) {
    const name = id();
    const input = element("input", { type: "text", id: name, value, size: wide ? 30 : 4, autocomplete: "off", spellcheck: "false", "data-role": role,
      onkeydown: (event) => { event.stopPropagation(); if (event.key === "Enter") change(input.value); } });
    const button = element("button", { type: "button", "aria-label": `try: ${label}`, "data-role": `${role}-try`, onclick: () => change(input.value) }, "try");
    return { node: element("span", { class: "control" }, element("label", { for: name }, label), input, button), set(text) { input.value = text; } };
  }

  // One of a few, all of them to be seen.
  function choice(label, options, { value = 0, role = "choice", change }) {
    const name = id();
    const inputs = options.map((text, k) => element("input", { type: "radio", name, id: `${name}-${k}`, value: k,
      "data-role": `${role}-${k}`, onchange: () => change(k) }));
    inputs[value].checked = true;
    return { node: element("fieldset", { class: "control", "data-role": role }, element("legend", {}, label),
      ...options.map((text, k) => element("span", {}, inputs[k], element("label", { for: `${name}-${k}` }, text)))),
      set(at) { inputs[at].checked = true; }, disable(k) { inputs[k].disabled = true; } };
  }

  // A film of `count` frames: a slider with a button that plays and pauses. Nothing moves before somebody asks for it.
  function player(label, count, { value = 0, role = "frame", say = String, pause = 200, change }) {
    let timer = null, playing = false;
    const where = slider(label, count, { value, role, say, change: (k) => { if (!playing) stop(); change(k); } });
    const button = element("button", { type: "button", "data-role": `${role}-play`, onclick: () => (timer ? stop() : start()) }, "▶ play");
    let last = count - 1;
    function stop() {
      clearInterval(timer);
      timer = null;
      button.textContent = "▶ play";
    }
    function start() {
      if (where.value >= last) move(0);
      button.textContent = "❚❚ pause";
      timer = setInterval(() => {
        if (where.value >= last || !button.isConnected) stop();
        else move(where.value + 1);
      }, pause);
    }
    function move(k) {
      playing = true;
      where.set(k);
      playing = false;
    }
    return { node: element("span", { class: "control" }, button, where.node), stop, set: where.set,
      resize(now) { last = now - 1; where.resize(now); }, get value() { return where.value; } };
  }

  // Words beside what is pointed at, or what the keyboard stands on. text: a function of nothing.
  function tooltips(root) {
    const box = element("div", { class: "tooltip", role: "tooltip", id: id(), "data-role": "tooltip" });
    box.hidden = true;
    root.append(box);
    function show(target, text) {
      box.textContent = text;
      box.hidden = !text;
      if (!text) return;
      target.setAttribute("aria-describedby", box.id);
      const at = target.getBoundingClientRect(), from = root.getBoundingClientRect();
      const left = Math.min(at.left - from.left + at.width / 2, root.clientWidth - box.offsetWidth - 4);
      box.style.left = `${Math.max(0, left)}px`;
      box.style.top = `${at.bottom - from.top + 6}px`;
    }
    function hide(target) {
      box.hidden = true;
      target.removeAttribute("aria-describedby");
    }
    root.addEventListener("keydown", (event) => { if (event.key === "Escape") box.hidden = true; });
    // JupyterLab has shortcuts on arrows; where this stands on what has the focus it leaves its keys alone
    root.addEventListener("focusin", (event) => event.target.setAttribute("data-lm-suppress-shortcuts", "true"));
    return (target, text) => {
      target.addEventListener("pointerenter", () => show(target, text()));
      target.addEventListener("focus", () => show(target, text()));
      target.addEventListener("pointerleave", () => hide(target));
      target.addEventListener("blur", () => hide(target));
    };
  }

  // A strip of coloured cells; set(values, limit, scheme) colours them.
  function strip(x, y, width, height, count, role) {
    const cells = Array.from({ length: count }, (_, k) => svg("rect", {
      x: (x + (k * width) / count).toFixed(2), y, width: (width / count).toFixed(2), height }));
    const node = svg("g", { "data-role": role || null, class: "strip" }, ...cells,
      svg("rect", { x, y, width, height, class: "edge" }));
    function set(values, limit, scheme) {
      cells.forEach((cell, k) => cell.setAttribute("fill", values ? colour(values[k], limit, scheme) : "transparent"));
      node.classList.toggle("empty", !values);
    }
    return { node, set };
  }

  // What the colours mean: set(limit).
  function legend() {
    const bar = element("span", { class: "bar" }), low = element("span"), high = element("span");
    return { node: element("span", { class: "legend", "data-role": "legend" }, low, bar, high),
      set(limit, scheme) {
        const steps = [-1, -0.5, 0, 0.5, 1].map((x) => colour(x, 1, scheme));
        bar.style.background = `linear-gradient(to right, ${steps.join(",")})`;
        const digits = limit < 0.1 ? 4 : 2; // the ends are never 0.00
        low.textContent = typeof limit === "number" ? short(-limit, digits) : `−${limit}`;
        high.textContent = typeof limit === "number" ? short(limit, digits) : `+${limit}`;
      } };
  }

  // draw(stage, data, context) is called once for each place where this picture stands, and returns a function that
  // colours everything, which is called again when light changes to dark.
  function picture(draw) {
    for (const root of document.querySelectorAll(`.numseq-live[data-key="${KEY}"]:not([data-ready])`)) {
      root.dataset.ready = "";
      mount(root, root.querySelector('[data-role="stage"]'), draw, DATA);
    }
  }

  // more: what a context has besides, as `ask` where Python answers.
  function mount(root, stage, draw, data, more = {}) {
    root.style.position = "relative";
    const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const context = { root, still, scheme: schemeOf(root), tooltip: tooltips(root), ...more };
    root.dataset.scheme = context.scheme;
    const paint = draw(stage, data, context);
    const look = () => {
      const now = schemeOf(root);
      if (now === context.scheme) return;
      root.dataset.scheme = context.scheme = now;
      paint();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
    const watch = new MutationObserver(look);
    for (const node of [document.documentElement, document.body]) watch.observe(node, { attributes: true });
  }

  return { element, svg, id, drawing, colour, short, shown, slider, select, typed, choice, player, strip, legend, picture, mount };
})();

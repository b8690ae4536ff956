// "Run" under the Python cells of a page: they run in this tab, in a Python that the site brings along (worker.mjs).
// Cells belong together as in a notebook: one that is run has those above it run first, if they were not yet.
const base = new URL("browser/", import.meta.url);
const { megabytes, alone } = document.querySelector("script[data-megabytes]").dataset;
const say = document.documentElement.lang.startsWith("zh") ? (english, chinese) => chinese : (english) => english;
const storage = (key) => `numseq ${location.pathname} ${key}`;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

class Cell {
  constructor(block, number) {
    this.number = number;
    this.code = block.querySelector("pre");
    this.original = this.code.innerHTML;
    this.key = storage(`${number} ${hash(this.code.textContent)}`); // another code is another cell
    this.ran = null; // the code that ran last
    const frame = block.closest("div.cell_input, div.highlight-python");
    const written = frame.closest("div.cell")?.querySelector("div.cell_output");
    const next = frame.nextElementSibling;
    this.written = written ?? (next?.matches("div.highlight-text") ? next : null); // the output that the page came with

    this.code.setAttribute("contenteditable", "plaintext-only");
    this.code.setAttribute("role", "textbox");
    this.code.setAttribute("aria-multiline", "true");
    this.code.setAttribute("aria-label", say(`Python cell ${number + 1}; Control and Enter run it`, `Python 代码单元 ${number + 1}；按 Control 与 Enter 运行`));
    this.code.setAttribute("spellcheck", "false");
    this.button = element("button", { type: "button", class: "run", "data-role": "run" }, say("Run", "运行"));
    const undo = say("Undo my changes", "撤销我的修改");
    this.reset = element("button", { type: "button", class: "reset", "data-role": "reset", hidden: "" }, undo);
    this.status = element("span", { role: "status", class: "run-status" });
    this.clock = element("span", { class: "run-clock", "aria-hidden": "true" });
    this.output = element("div", { class: "run-output", "data-role": "output", tabindex: "0", hidden: "" });
    this.output.setAttribute("aria-label", say(`What cell ${number + 1} gave in this tab`, `代码单元 ${number + 1} 在本标签页的输出`));
    this.output.setAttribute("role", "region");
    frame.after(element("div", { class: "run-bar" }, this.button, this.reset, this.status, this.clock), this.output);

    this.button.onclick = ({ detail }) => {
      if (!page.running) page.run(this);
      else if (detail < 2) page.stop(); // and not by the second half of a double click
    };
    this.reset.onclick = () => this.restore();
    this.code.addEventListener("input", () => this.changed());
    this.code.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey || event.shiftKey)) {
        event.preventDefault();
        if (!page.running) page.run(this);
      }
      if (event.key === "Escape") this.button.focus();
    });
    const kept = localStorage.getItem(this.key);
    if (kept !== null) {
      this.code.textContent = kept;
      this.changed();
    }
  }

  get text() {
    return this.code.innerText.replace(/\u00a0/g, " ").replace(/\n$/, "");
  }

  changed() {
    localStorage.setItem(this.key, this.text);
    this.reset.hidden = false;
    page.outdate(this);
  }

  restore() {
    localStorage.removeItem(this.key);
    this.code.innerHTML = this.original;
    this.output.replaceChildren();
    this.output.hidden = this.reset.hidden = true;
    this.status.textContent = "";
    this.ran = null;
    if (this.written) this.written.hidden = false;
    page.outdate(this);
  }

  begin() {
    this.ran = this.text;
    this.finished = false; // until what it gave is there, and is of the code that stands there
    this.started = performance.now();
    this.output.replaceChildren();
    this.output.hidden = true;
    this.output.classList.remove("failed");
    this.status.textContent = say("running", "正在运行");
    this.printed = null;
  }

  show(kind, text) {
    this.output.hidden = false;
    if (this.written) this.written.hidden = true;
    if (kind === "text" || kind === "warning" || kind === "error") {
      const ends = text.endsWith("\n") || kind !== "text" ? "" : "\n";
      if (this.printed?.className !== kind) this.output.append((this.printed = element("pre", { class: kind })));
      this.printed.append(text + ends);
      return;
    }
    this.printed = null;
    if (kind === "png") this.output.append(element("img", { src: `data:image/png;base64,${text}`, alt: say("picture", "图片") }));
    if (kind === "html") this.output.append(withScripts(element("div"), text));
    if (kind === "picture") {
      const drawn = [...(this.written?.querySelectorAll("img") ?? [])].map((picture) => picture.cloneNode());
      const missing = say("Pictures of this cell are drawn with matplotlib, which is not in this tab.", "这个代码单元的图片要用 matplotlib 来画，本标签页里没有它。");
      const here = say("This is what it drew when the page was made.", "下面是生成页面时画的图。");
      this.output.append(
        element("p", { class: "run-note" }, `${missing} ${drawn.length ? here : ""}`),
        ...drawn,
      );
    }
  }

  end(done) {
    const seconds = (performance.now() - this.started) / 1000;
    this.status.textContent = `${done ? say("ran", "运行完毕") : say("stopped by an error", "因错误而停止")}, ${seconds.toFixed(1)} s`;
    this.output.classList.toggle("failed", !done);
    this.finished = true;
    if (!done) this.ran = null;
    if (page.running === this) this.output.scrollIntoView({ block: "nearest" });
  }
}

function withScripts(place, html) {
  place.innerHTML = html; // its scripts are not run by this
  for (const script of place.querySelectorAll("script")) {
    const made = element("script", Object.fromEntries([...script.attributes].map((a) => [a.name, a.value])));
    made.textContent = script.textContent;
    script.replaceWith(made);
  }
  return place;
}

function hash(text) {
  let found = 0;
  for (const letter of text) found = (Math.imul(found, 31) + letter.codePointAt(0)) | 0;
  return found;
}

const page = {
  cells: [],
  worker: null,
  running: null, // the cell whose button was pressed

  async run(cell) {
    this.running = cell;
    cell.status.textContent = "";
    const start = performance.now();
    const clock = setInterval(() => {
      cell.clock.textContent = `${Math.round((performance.now() - start) / 1000)} s`;
    }, 1000);
    const above = alone === "True" ? [] : this.cells.slice(0, cell.number).filter((one) => one.ran !== one.text);
    this.mark();
    try {
      await this.start(cell);
      for (const one of [...above, cell]) {
        cell.status.textContent = one === cell ? say("running", "正在运行") : say(`running cell ${one.number + 1} above first`, `先运行上面的代码单元 ${one.number + 1}`);
        if (!(await this.runOne(one))) {
          if (one !== cell) cell.status.textContent = say(`cell ${one.number + 1}, above, stopped by an error`, `上面的代码单元 ${one.number + 1} 因错误而停止`);
          break;
        }
      }
    } catch (error) {
      cell.status.textContent = error.message;
    }
    clearInterval(clock);
    cell.clock.textContent = "";
    this.running = null;
    this.mark();
  },

  start(cell) {
    this.worker ??= { worker: new Worker(new URL("worker.mjs", base), { type: "module" }), ready: null };
    const { worker } = this.worker;
    this.worker.ready ??= new Promise((resolve, reject) => {
      this.reject = reject;
      const fail = (why) => {
        this.worker = null;
        reject(new Error(say(`Python could not be loaded (${why})`, `无法载入 Python（${why}）`)));
      };
      worker.onerror = (event) => fail(event.message ?? say("worker.mjs does not load", "worker.mjs 无法载入"));
      worker.onmessage = ({ data }) => {
        if (data.loading) this.running.status.textContent = say(`loading ${data.loading} (${megabytes} MB in all, once)`, `正在载入 ${data.loading}（共 ${megabytes} MB，只需一次）`);
        if (data.failed) fail(data.failed);
        if (data.ready) {
          worker.onmessage = ({ data }) => {
            const one = this.cells[data.cell];
            if ("kind" in data) one.show(data.kind, data.text);
            if ("done" in data) {
              one.end(data.done);
              this.done(data.done);
            }
          };
          resolve();
        }
      };
    });
    return this.worker.ready;
  },

  runOne(cell) {
    cell.begin();
    return new Promise((resolve, reject) => {
      [this.done, this.reject] = [resolve, reject];
      this.worker.worker.postMessage({ cell: cell.number, code: cell.text });
    });
  },

  /** What this cell and those below it gave was of other code. */
  outdate(cell) {
    for (const one of alone === "True" ? [cell] : this.cells.slice(cell.number)) {
      if (one.finished) {
        one.finished = false;
        one.status.textContent = one === cell ? say("changed since it ran", "运行之后又修改过") : say(`ran before cell ${cell.number + 1}, above, was changed`, `在上面的代码单元 ${cell.number + 1} 修改之前运行`);
      }
    }
  },

  stop() {
    this.worker?.worker.terminate();
    this.worker = null;
    for (const cell of this.cells) {
      cell.ran = null; // its variables are gone
      if (cell.status.textContent === say("running", "正在运行")) cell.status.textContent = say("stopped", "已停止");
    }
    this.reject(new Error(say("stopped; the next Run begins with the cells above", "已停止；下次运行会从上面的代码单元开始")));
  },

  mark() {
    for (const cell of this.cells) {
      cell.button.textContent = cell === this.running ? say("Stop", "停止") : say("Run", "运行");
      cell.button.disabled = Boolean(this.running) && cell !== this.running;
    }
  },
};

const blocks = document.querySelectorAll("article div.cell_input div.highlight, article div.highlight-python > div.highlight");
page.cells = [...blocks].filter((block) => !block.closest("dl.py")).map((block, number) => new Cell(block, number));
if (page.cells.length) {
  const note = say(
    `The Python on this page can be changed and run here: press Run below a cell. The first time ${megabytes} MB are loaded, from this site alone. What computes much, as training does, takes up to ten times as long as outside a browser.`,
    `本页的 Python 可以在这里修改并运行：按代码单元下方的“运行”。第一次要载入 ${megabytes} MB，全部来自本网站。计算量大的部分（如训练）在浏览器中最多要花十倍的时间。`,
  );
  document.querySelector("article h1")?.after(element("p", { class: "run-note" }, note));
}

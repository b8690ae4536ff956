// A Python beside the page: it loads Pyodide, NumPy and numseq, all from this folder, and runs one cell at a time.
// Messages to it: {cell, code}. From it: {loading}, {ready}, {cell, kind, text} for each output, {cell, done}.
import { loadPyodide } from "./pyodide.mjs";

const here = (name) => new URL(name, import.meta.url).href;
const say = (message) => self.postMessage(message);

async function start() {
  say({ loading: "Python" });
  const packages = ["numpy.zip", "pure.zip", "numseq.whl", "kernel.zip"].map((name) =>
    fetch(here(name)).then((answer) => {
      if (!answer.ok) throw new Error(`${name}: ${answer.status}`);
      return answer.arrayBuffer();
    }),
  );
  const python = await loadPyodide({ indexURL: here("./"), env: { HOME: "/home/pyodide", PYTHONHASHSEED: "0" } });
  say({ loading: "NumPy, numseq" });
  for (const content of packages) python.unpackArchive(await content, "zip", { extractDir: "/lib/python3.12/site-packages" });
  const kernel = python.pyimport("kernel");
  python.runPython("import numpy, numseq.gradcheck, numseq.layers");
  return kernel;
}

const kernel = start();
kernel.then(
  () => say({ ready: true }),
  (error) => say({ failed: String(error) }),
);
self.onmessage = async ({ data: { cell, code } }) => {
  const run = (await kernel).run;
  const done = run(code, `<cell ${cell + 1}>`, (kind, text) => say({ cell, kind, text }));
  say({ cell, done });
};

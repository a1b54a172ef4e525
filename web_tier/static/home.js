// The form of a new job: what belongs to the chosen source, files by dropping, an estimate.

const WAIT_MS = 300;

const form = document.getElementById("job-form");
const at = (id) => document.getElementById(id);

export function start() {
  showSource();
  form.addEventListener("change", showSource);
  for (const radio of form.elements.example) radio.addEventListener("change", () => showAsked(radio));
  for (const kind of ["input", "change"]) form.addEventListener(kind, estimateSoon);
  takeDrops();
  form.addEventListener("submit", (event) => {
    if (!tooLarge()) return;
    event.preventDefault(); // the server would close the connection before it can say why
    estimate();
  });
  estimateSoon();
}

function showSource() {
  const source = form.elements.source.value;
  for (const part of form.querySelectorAll("[data-source]"))
    part.hidden = !part.dataset.source.split(" ").includes(source);
}

// What an example asks stands in the form, to be changed.
function showAsked({ dataset }) {
  at("count").value = dataset.count ?? "";
  at("energy").value = dataset.energy ?? "0";
  if (dataset.min_separation) at("min_separation").value = dataset.min_separation;
}

function takeDrops() {
  const drop = at("drop");
  for (const kind of ["dragenter", "dragover"])
    drop.addEventListener(kind, (event) => {
      event.preventDefault();
      drop.classList.add("over");
    });
  for (const kind of ["dragleave", "drop"])
    drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length === 0) return;
    at("file").files = event.dataTransfer.files;
    at("file").dispatchEvent(new Event("change", { bubbles: true }));
  });
}

let timer = 0;
let asked = 0; // an answer to an older question is not shown

function estimateSoon() {
  clearTimeout(timer);
  timer = setTimeout(() => estimate().catch(() => { at("estimate").hidden = true; }), WAIT_MS);
}

// Of a file that the server does not take: what is wrong with it.
function tooLarge() {
  const [file] = at("file").files;
  const most = Number(at("file").dataset.most);
  if (form.elements.source.value !== "file" || !file || file.size < most) return "";
  const megabytes = (bytes) => Math.round(bytes / 1e6);
  return `${file.name} has ${megabytes(file.size)} MB, and ${megabytes(most)} MB are taken at most; ` +
    "write shorter numbers, or give the atoms as NPY";
}

async function estimate() {
  const mine = ++asked;
  const large = tooLarge();
  if (large) {
    at("estimate").textContent = large;
    at("estimate").hidden = false;
    return;
  }
  const waits = form.elements.source.value === "file" && at("file").files.length === 0;
  if (waits) {
    at("estimate").hidden = true;
    return;
  }
  const response = await fetch("/estimate", { method: "POST", body: new FormData(form) });
  const { words, detail } = await response.json(); // a refusal has a detail
  if (mine !== asked) return;
  at("estimate").textContent = words ?? detail;
  at("estimate").hidden = false;
}

// The page of one job: its progress while it runs, and what can be done with its result.

import { drawBoxes } from "./boxes.js";
import { fetchJob, follow, hasEnded, pause } from "./follow.js";
import { Picture } from "./picture.js";
import { Field, verify } from "./potential.js";
import { Slice } from "./slice.js";

const DRAWN_ATOMS = 20_000; // more are not drawn, nor verified here
const FLEET_MS = 2000;
const RETRY_MS = 500;

const at = (id) => document.getElementById(id);
const number = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });
const digits = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const short = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });

// In the unit that fits; what is only guessed has no more digits.
function duration(seconds) {
  if (seconds < 10) return `${number.format(seconds)} s`;
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${number.format(seconds / 3600)} h`;
}

export async function start() {
  const { job: id, state } = at("live").dataset;
  let job;
  try {
    job = await fetchJob(id);
  } catch {
    return; // the page itself says what it knows
  }
  if (hasEnded(state)) showResult(job);
  else showProgress(job);
}

async function showProgress(job) {
  // Of a series the points that are found count: its only chunk says nothing before its end.
  const series = job.series?.count > 1 ? job.series : null;
  const total = series ? series.count : job.progress.points_total;
  const what = series?.energy ? "ion" : "point";
  let found = 0; // what was seen is never taken back, whatever is said later
  const canvas = at("boxes");
  let finished = job.chunks.finished;
  const redraw = () => drawBoxes(canvas, job, finished);
  addEventListener("resize", redraw);
  addEventListener("themechange", redraw);
  redraw();
  let began = null; // when the first chunk came, and how many points were done then
  let running = null;
  const askFleet = async () => {
    const fleet = await (await fetch("/v1/fleet")).json();
    running = fleet.instances.filter(({ state }) => state === "running").length;
  };
  const timer = setInterval(() => askFleet().catch(() => { running = null; }), FLEET_MS);
  askFleet().catch(() => {});
  await follow(job.id, (progress) => {
    found = Math.max(found, progress.series?.found ?? 0);
    const done = series ? found : progress.points_done;
    const badge = document.querySelector("h1 .state");
    badge.textContent = progress.state;
    badge.className = `state ${progress.state}`;
    finished = progress.finished;
    at("progress").value = done;
    at("counts").textContent = series
      ? done < total ? `${what} ${done + 1} of ${total}` : `${done} of ${total} ${what}s`
      : `${done.toLocaleString("en")} of ${total.toLocaleString("en")} points, ` +
        `${finished.length} of ${job.chunks.total} chunks`;
    const now = performance.now() / 1000;
    if (done > 0) began ??= { at: now, done };
    const speed = began && now > began.at ? (done - began.done) / (now - began.at) : 0;
    const words = [];
    if (speed > 0 && !series) words.push(`${short.format(speed)} points/s`);
    if (speed > 0) words.push(`${duration((total - done) / speed)} left`);
    if (running !== null) words.push(`${running} ${running === 1 ? "instance" : "instances"} running`);
    at("rate").textContent = words.join(" · ") || "waiting for an instance";
    // Read aloud at quarters only: each event would be noise.
    const quarter = `${Math.floor((4 * done) / total) * 25} per cent, ${progress.state}`;
    if (at("spoken").textContent !== quarter) at("spoken").textContent = quarter;
    redraw();
  });
  clearInterval(timer);
  removeEventListener("resize", redraw);
  removeEventListener("themechange", redraw);
  await refresh();
}

// The page as the service now draws it: what a result looks like is said in one place.
async function refresh() {
  let text = null;
  while (text === null) {
    try {
      text = await (await fetch(location.href)).text();
    } catch {
      await pause(RETRY_MS); // the service is away; or we go elsewhere, and this page is gone by then
    }
  }
  const fresh = new DOMParser().parseFromString(text, "text/html");
  document.title = fresh.title;
  at("live").replaceWith(fresh.getElementById("live"));
  await start();
}

async function showResult(job) {
  if (!job.result) {
    drawBoxes(at("boxes"), job, job.chunks.finished); // how far it came
    return;
  }
  if (job.atom_count > DRAWN_ATOMS) {
    const most = DRAWN_ATOMS.toLocaleString("en");
    cannotVerify(`more than ${most} atoms: verify by the record`);
    return;
  }
  const response = await fetch(job.links.atoms, { headers: { Accept: "application/json" } });
  if (!response.ok) {
    cannotVerify("the atoms are no longer kept");
    return;
  }
  const field = new Field((await response.json()).atoms, job);
  at("verify").addEventListener("click", () => showVerified(field, job));
  at("verify").hidden = false; // not before it does something
  showSlice(field, job);
  showPicture(field, job);
}

function cannotVerify(why) {
  at("verify").disabled = true;
  at("verify").hidden = false;
  at("verified").textContent = why;
}

function showVerified(field, job) {
  const { right, value, tried, lower } = verify(field, job);
  const count = tried.toLocaleString("en");
  at("verified").textContent = lower
    ? `wrong: the point ${lower.index.join(", ")} has ${lower.value}`
    : right
      ? `✓ right to the last bit, and none of ${count} other points is lower`
      : `wrong: this browser computes ${value}`;
  at("verified").className = right && !lower ? "good" : "error";
}

function showSlice(field, job) {
  const slice = new Slice(at("slice"), field, job);
  const layer = at("layer");
  layer.max = job.grid.shape[2] - 1;
  layer.value = job.result.index[2];
  const draw = () => {
    const k = Number(layer.value);
    slice.draw(k);
    const z = job.grid.origin[2] + job.grid.spacing[2] * k;
    at("layer-words").textContent = `${k}, z = ${number.format(z)}`;
    at("slice-least").textContent = `≤ ${digits.format(-slice.scale)}`;
    at("slice-most").textContent = `≥ ${digits.format(slice.scale)}`;
  };
  at("slice-card").hidden = false;
  layer.addEventListener("input", draw);
  draw();
}

function showPicture(field, job) {
  at("picture-card").hidden = false;
  let picture;
  try {
    picture = new Picture(at("picture"), field, job);
  } catch {
    at("picture-card").hidden = true; // no WebGL here: the slice and the numbers say the same
    return;
  }
  const surface = at("surface");
  surface.addEventListener("change", () => picture.showSurfaces(surface.checked));
}

// The page at /: submits a job, follows it by its id in the address, shows the fleet.

const JOB_POLL_MS = 400;
const FLEET_POLL_MS = 3000;
const FIELDS = ["grid_size", "atom_count", "seed"];

const at = (id) => document.getElementById(id);
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
let following = ""; // the job on show: an older one must not write over it

function showError(id, text) {
  at(id).textContent = text;
  at(id).hidden = !text;
}

function clearErrors() {
  for (const name of FIELDS) {
    showError(`${name}-error`, "");
    at(name).removeAttribute("aria-invalid");
  }
  showError("form-error", "");
}

// Faults are shown at their fields; what belongs to none is shown below the form.
function showProblem(problem) {
  const rest = [];
  let first = null;
  for (const { pointer, detail } of problem.errors ?? []) {
    const name = pointer.split("/")[1];
    if (FIELDS.includes(name)) {
      showError(`${name}-error`, detail);
      at(name).setAttribute("aria-invalid", "true");
      first ??= at(name);
    } else {
      rest.push(detail);
    }
  }
  if (!first) rest.push(problem.detail);
  showError("form-error", [...new Set(rest)].join("; "));
  first?.focus();
}

// A number is sent as one; anything else as it was typed, for the service to judge.
function valueOf(name) {
  const text = at(name).value.trim();
  if (text === "") return null;
  return /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : text;
}

function showJob(job) {
  const { points_done: done, points_total: total } = job.progress;
  at("job").hidden = false;
  at("job-title").textContent = `Job ${job.id}: ${job.state}`;
  at("progress").max = total;
  at("progress").value = done;
  at("counts").textContent =
    `${done} of ${total} points, ${job.chunks.done} of ${job.chunks.total} chunks, ` +
    `${job.workers.length} workers`;
  // Read aloud at quarters only: each poll would be noise.
  const quarter = `${Math.floor((4 * done) / total) * 25} per cent, ${job.state}`;
  if (at("status").textContent !== quarter) at("status").textContent = quarter;
  at("result").hidden = !job.result;
  if (job.result) {
    at("minimum").textContent = job.result.minimum;
    at("index").textContent = job.result.index.join(", ");
    at("point").textContent = job.result.point.join(", ");
  }
  showError("job-error", job.error ? job.error.detail : "");
  at("link-job").href = job.links.self;
  at("link-atoms").href = job.links.atoms;
  at("link-record").href = job.links.record;
  at("link-record").hidden = job.state !== "done";
}

const hasEnded = (job) => !["queued", "running"].includes(job.state);

async function follow(id) {
  following = id;
  while (following === id) {
    try {
      const response = await fetch(`/v1/jobs/${encodeURIComponent(id)}`);
      const body = await response.json();
      if (following !== id) return;
      if (response.ok) {
        showJob(body);
        if (hasEnded(body)) return;
      } else if (response.status !== 503) {
        at("job").hidden = true;
        showError("form-error", body.detail);
        return;
      }
    } catch {
      if (following === id) showError("job-error", "the service does not answer; trying again");
    }
    await pause(JOB_POLL_MS);
  }
}

async function submit(event) {
  event.preventDefault();
  clearErrors();
  const button = event.target.querySelector("button");
  button.disabled = true;
  try {
    const response = await fetch("/v1/jobs", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(Object.fromEntries(FIELDS.map((name) => [name, valueOf(name)]))),
    });
    const body = await response.json();
    if (response.ok) {
      showJob(body);
      at("job-title").focus();
      // Setting the address makes `hashchange` follow it; the same address does not change.
      if (location.hash === `#${body.id}`) follow(body.id);
      else location.hash = body.id;
    } else {
      showProblem(body);
    }
  } catch {
    showError("form-error", "the service does not answer; try again in a moment");
  } finally {
    button.disabled = false;
  }
}

function followAddress() {
  const id = location.hash.slice(1);
  if (id) follow(id);
}

function fleetLine(fleet) {
  if (!fleet.at) return "Fleet: not known yet";
  const counts = new Map();
  for (const { state } of fleet.instances) counts.set(state, (counts.get(state) ?? 0) + 1);
  const states = [...counts].map(([state, count]) => `${count} ${state}`).join(", ");
  const { visible, in_flight: inFlight } = fleet.queue;
  const late = fleet.stale ? `; no autoscaler has looked since ${fleet.at}` : "";
  return `Fleet: ${states || "no instances"} of at most ${fleet.cap}; ` +
    `chunks: ${visible} waiting, ${inFlight} in hand${late}`;
}

async function watchFleet() {
  for (;;) {
    if (!document.hidden) {
      try {
        const response = await fetch("/v1/fleet");
        if (response.ok) at("fleet").textContent = fleetLine(await response.json());
      } catch {
        at("fleet").textContent = "Fleet: the service does not answer";
      }
    }
    await pause(FLEET_POLL_MS);
  }
}

at("job-form").addEventListener("submit", submit);
addEventListener("hashchange", followAddress);
followAddress();
watchFleet();

// The fleet's page: its parts as the service now draws them, and charts over time.

const EVERY_MS = 3000;
const STATES = { pending: "#d9a400", running: "#1b7f4b", stopping: "#b0620e", stopped: "#7b8794" };
const QUEUE = { visible: "#2166ac", in_flight: "#d6604d" };

const at = (id) => document.getElementById(id);
const charts = {};
const hours = new Intl.DateTimeFormat("en", { timeStyle: "medium", hourCycle: "h23" });
const clock = (seconds) => hours.format(seconds * 1000);

export async function start() {
  for (;;) {
    if (!document.hidden) await Promise.all([refresh(), draw()].map((part) => part.catch(() => {})));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
}

async function refresh() {
  const text = await (await fetch(location.href)).text();
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-fresh]")) {
    const next = fresh.querySelector(`[data-fresh="${part.dataset.fresh}"]`);
    // Not under somebody's finger, nor where nothing changed.
    if (next && !part.contains(document.activeElement) && part.innerHTML !== next.innerHTML)
      part.replaceWith(next);
  }
}

async function draw() {
  const { history } = await (await fetch("/v1/fleet")).json();
  if (!history || history.at.length < 2) return;
  at("charts").hidden = false;
  plot("instances-chart", "instances", history, { ...STATES, cap: "#9aa5b1" });
  plot("queue-chart", "chunks", history, QUEUE);
}

function plot(id, title, history, colours) {
  const data = [history.at, ...Object.keys(colours).map((name) => history[name])];
  if (charts[id]) {
    charts[id].setData(data);
    return;
  }
  const element = at(id);
  const options = {
    title,
    width: element.clientWidth,
    height: 220,
    padding: [null, 32, null, null], // half of the last time
    axes: [{ stroke: "#7b8794", grid: { stroke: "#7b879440" }, space: 80, values: (_, times) => times.map(clock) }, { stroke: "#7b8794", grid: { stroke: "#7b879440" }, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] }],
    series: [{ label: "time", value: (_, time) => (time === null ? "--" : clock(time)) }, ...Object.entries(colours).map(([name, stroke]) => ({
      label: name.replace("_", " "), stroke, width: 2,
      paths: globalThis.uPlot.paths.stepped({ align: 1 }),
      points: { show: false },
      dash: name === "cap" ? [4, 4] : undefined,
    }))],
  };
  charts[id] = new globalThis.uPlot(options, data, element);
  addEventListener("resize", () => charts[id].setSize({ width: element.clientWidth, height: 220 }));
}

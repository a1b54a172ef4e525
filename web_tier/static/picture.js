// The job in space, by 3Dmol: atoms, the grid's box, the minimum, surfaces of equal potential.

import { quantile } from "./colours.js";
import { colour } from "./theme.js";

const PAIRS = 3e7; // of the map that surfaces are drawn from: about half a second
const SURFACE = 0.12; // the share of points that each surface encloses

const GOLD = "#f5b800";

const place = ([x, y, z]) => ({ x, y, z });

export class Picture {
  constructor(element, field, job) {
    this.field = field;
    this.job = job;
    this.viewer = globalThis.$3Dmol.createViewer(element, { antialias: true, disableFog: true });
    this.shapes = [];
    const { origin, spacing, shape } = job.grid;
    this.size = spacing.map((h, k) => h * (shape[k] - 1));
    this.middle = origin.map((o, k) => o + this.size[k] / 2);
    this.drawAtoms();
    this.drawGrid();
    this.framed = this.viewer.addModel(); // atoms that are not drawn: what is zoomed to are atoms
    this.framed.addAtoms([0, 1, 2, 3, 4, 5, 6, 7].map((corner) => {
      const [x, y, z] = origin.map((o, k) => o + (corner & (1 << k) ? this.size[k] : 0));
      return { x, y, z, serial: corner, elem: "X" };
    }));
    this.framed.setStyle({}, {});
    this.viewer.zoomTo();
    this.viewer.rotate(-90, "vx"); // z points up
    this.viewer.rotate(30, "vy");
    this.viewer.rotate(15, "vx");
    this.onTheme();
    addEventListener("themechange", () => this.onTheme());
  }

  onTheme() {
    this.viewer.setBackgroundColor(colour("scene"));
    this.viewer.render();
  }

  drawAtoms() {
    const { atoms } = this.field;
    const volume = this.size.map((s) => Math.max(s, 1e-9)).reduce((a, b) => a * b, 1);
    const radius = Math.min(0.28 * Math.cbrt(volume / Math.max(atoms.length, 8)), 0.03 * Math.max(...this.size));
    const model = this.viewer.addModel();
    model.addAtoms(atoms.map(([x, y, z, energy], serial) => (
      { x, y, z, serial, elem: "X", properties: { energy } })));
    model.setStyle({}, {
      sphere: {
        radius,
        colorfunc: (atom) => (atom.properties.energy < 0 ? "#2166ac" : atom.properties.energy > 0 ? "#d6604d" : "#999999"),
      },
    });
    this.radius = radius;
  }

  // The edges of the grid's box, and lines through the minimum: it may be hidden among atoms.
  drawGrid() {
    const { origin } = this.job.grid;
    const end = origin.map((o, k) => o + this.size[k]);
    for (let axis = 0; axis < 3; axis++) {
      const [a, b] = [0, 1, 2].filter((k) => k !== axis);
      for (const u of [origin[a], end[a]]) for (const v of [origin[b], end[b]]) {
        const [from, to] = [[...origin], [...end]];
        from[a] = to[a] = u;
        from[b] = to[b] = v;
        this.drawLine(from, to, 0.0015, "#8a949e");
      }
    }
    for (const { point } of this.job.points) {
      this.viewer.addSphere({ center: place(point), radius: 1.7 * this.radius, color: GOLD });
      if (this.job.points.length > 1) continue; // lines of many would hide what they point to
      for (let axis = 0; axis < 3; axis++) {
        const [from, to] = [[...point], [...point]];
        from[axis] = origin[axis];
        to[axis] = end[axis];
        this.drawLine(from, to, 0.0025, GOLD);
      }
    }
  }

  drawLine(from, to, share, color) {
    const radius = share * Math.max(...this.size);
    this.viewer.addCylinder({ start: place(from), end: place(to), radius, color, fromCap: 1, toCap: 1 });
  }

  showSurfaces(shown) {
    for (const shape of this.shapes) this.viewer.removeShape(shape);
    this.shapes = [];
    if (shown) {
      this.map ??= this.computeMap();
      const { volume, low, high } = this.map;
      const add = (isoval, color) => this.shapes.push(
        this.viewer.addIsosurface(volume, { isoval, color, opacity: 0.65, smoothness: 2 }));
      if (low < 0) add(low, "#2166ac");
      if (high > 0) add(high, "#d6604d");
    }
    this.viewer.render();
  }

  computeMap() {
    const n = Math.max(12, Math.min(40, Math.floor(Math.cbrt(PAIRS / this.field.atoms.length))));
    const { origin } = this.job.grid;
    const step = this.size.map((s) => (s || 1) / (n - 1));
    const least = (Math.max(...step) / 3) ** 2;
    const values = [];
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++)
        for (let k = 0; k < n; k++)
          values.push(this.field.near(
            origin[0] + i * step[0], origin[1] + j * step[1], origin[2] + k * step[2], least));
    const text = [
      `object 1 class gridpositions counts ${n} ${n} ${n}`,
      `origin ${origin.join(" ")}`,
      `delta ${step[0]} 0 0`, `delta 0 ${step[1]} 0`, `delta 0 0 ${step[2]}`,
      `object 2 class gridconnections counts ${n} ${n} ${n}`,
      `object 3 class array type double rank 0 items ${values.length} data follows`,
      ...values.map(String),
    ].join("\n");
    return {
      volume: new globalThis.$3Dmol.VolumeData(text, "dx"),
      low: quantile(values, SURFACE),
      high: quantile(values, 1 - SURFACE),
    };
  }
}

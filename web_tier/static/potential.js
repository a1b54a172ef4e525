// The canonical potential, as the service defines it: the correctly rounded sum of e / max(r, s),
// each operation one IEEE rounding.  So a browser gets the same bits, or has found a fault.

// The correctly rounded sum of doubles (J. R. Shewchuk, Adaptive Precision Floating-Point
// Arithmetic, 1997; the last step as in Python's math.fsum): partial sums that do not overlap.
export function exactSum(terms) {
  const partials = [];
  for (let x of terms) {
    let kept = 0;
    for (let y of partials) {
      if (Math.abs(x) < Math.abs(y)) [x, y] = [y, x];
      const high = x + y;
      const low = y - (high - x);
      if (low !== 0) partials[kept++] = low;
      x = high;
    }
    partials.length = kept;
    partials.push(x);
  }
  let n = partials.length;
  if (n === 0) return 0;
  let high = partials[--n];
  let low = 0;
  while (n > 0) {
    const x = high;
    const y = partials[--n];
    high = x + y;
    low = y - (high - x);
    if (low !== 0) break;
  }
  // Half-way cases are rounded by what lies below them.
  if (n > 0 && ((low < 0 && partials[n - 1] < 0) || (low > 0 && partials[n - 1] > 0))) {
    const y = low * 2;
    const x = high + y;
    if (y === x - high) high = x;
  }
  return high + 0; // -0 as 0
}

export class Field {
  // atoms: rows [x, y, z, energy]; job: as the interface shows it; places: those whose
  // neighbourhood, of the radius `apart`, does not qualify.
  constructor(atoms, job, places = [], apart = 0) {
    this.atoms = atoms;
    this.places = places;
    this.apart = apart * apart;
    this.grid = job.grid;
    this.tooNear = job.min_distance * job.min_distance;
    this.softening = job.softening;
  }

  place(index) {
    return index.map((i, k) => this.grid.origin[k] + this.grid.spacing[k] * i);
  }

  // The canonical value at an index, or null where no value is defined.
  at(index) {
    const [px, py, pz] = this.place(index);
    for (const [x, y, z] of this.places) {
      const dx = px - x;
      const dy = py - y;
      const dz = pz - z;
      const r2 = dx * dx + dy * dy + dz * dz;
      if (r2 < this.apart || r2 === 0) return null;
    }
    const terms = [];
    for (const [x, y, z, energy] of this.atoms) {
      const dx = px - x;
      const dy = py - y;
      const dz = pz - z;
      const r2 = dx * dx + dy * dy + dz * dz;
      if (r2 < this.tooNear || (r2 === 0 && this.softening === 0)) return null;
      if (energy !== 0) terms.push(energy / Math.max(Math.sqrt(r2), this.softening));
    }
    return exactSum(terms);
  }

  // A quick value anywhere in space, for pictures: no check of distances, no infinity.
  near(px, py, pz, least) {
    let sum = 0;
    for (const [x, y, z, energy] of this.atoms) {
      const dx = px - x;
      const dy = py - y;
      const dz = pz - z;
      sum += energy / Math.sqrt(Math.max(dx * dx + dy * dy + dz * dz, least));
    }
    return sum;
  }
}

const linear = ([x, y, z], [, ny, nz]) => (x * ny + y) * nz + z;

function* neighbours(index, shape) {
  for (let dx = -1; dx <= 1; dx++)
    for (let dy = -1; dy <= 1; dy++)
      for (let dz = -1; dz <= 1; dz++) {
        const point = [index[0] + dx, index[1] + dy, index[2] + dz];
        if ((dx || dy || dz) && point.every((i, k) => i >= 0 && i < shape[k])) yield point;
      }
}

function* corners(shape) {
  for (let corner = 0; corner < 8; corner++)
    yield shape.map((n, k) => ((corner >> k) & 1 ? n - 1 : 0));
}

function* drawn(count, shape) {
  for (let i = 0; i < count; i++) yield shape.map((n) => Math.floor(Math.random() * n));
}

const PAIRS = 2e7; // about a second

// The field whose least point comes after those that were found: as the service defines a series.
function next(field, job, found) {
  const { energy: ion, min_separation: apart } = job.series ?? { energy: null, min_separation: 0 };
  const atoms = ion < 0 ? field.atoms.map(([x, y, z, energy]) => [x, y, z, -energy]) : field.atoms;
  const places = found.map(({ point }) => point);
  return new Field(ion ? [...atoms, ...places.map((place) => [...place, 1])] : atoms, job, places, apart);
}

// Computes each point anew, and looks for a lower one among neighbours, corners and others.
// Returns { right, value, tried, lower }: `lower` is a better point, if one was found.
export function verify(field, job) {
  const { points, result } = job;
  let tried = 0;
  for (let k = 0; k < points.length; k++) {
    const found = verifyPoint(next(field, job, points.slice(0, k)), points[k], job.grid.shape, points.length);
    if (k === 0) found.right &&= found.value === result.minimum;
    tried += found.tried;
    if (!found.right || found.lower || k === points.length - 1) return { ...found, tried };
  }
}

function verifyPoint(field, { index, value: potential, energy }, shape, share) {
  const minimum = energy ?? potential;
  const value = field.at(index);
  const right = value === minimum;
  const count = Math.max(20, Math.min(5000, Math.floor(PAIRS / field.atoms.length / share) - 34));
  let tried = 0;
  for (const points of [neighbours(index, shape), corners(shape), drawn(count, shape)]) {
    for (const point of points) {
      const other = field.at(point);
      tried += 1;
      const wins = other !== null && (other < minimum
        || (other === minimum && linear(point, shape) < linear(index, shape)));
      if (wins) return { right, value, tried, lower: { index: point, value: other } };
    }
  }
  return { right, value, tried, lower: null };
}

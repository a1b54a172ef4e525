// A value as a colour: blue below zero, red above, as one who cannot tell red from green sees too.

const LOW = [33, 102, 172];
const MIDDLE = [247, 247, 247];
const HIGH = [178, 24, 43];

// share: from -1 to 1.
export function diverging(share) {
  const end = share < 0 ? LOW : HIGH;
  const t = Math.min(1, Math.abs(share));
  return MIDDLE.map((from, k) => Math.round(from + t * (end[k] - from)));
}

// The value below which a share of the values lies.
export function quantile(values, share) {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
}

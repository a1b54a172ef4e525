// The grid's chunks as boxes in space: those that are computed are lit.

import { colour } from "./theme.js";

const GAP = 0.8; // of a box's size: so that each is seen as a box
const COS = Math.cos(Math.PI / 6);
const SIN = Math.sin(Math.PI / 6);

// Isometric: x to the lower right, y to the lower left, z up.
const project = (x, y, z) => [(x - y) * COS, (x + y) * SIN - z];

function boxesOf(cuts, shape) {
  const longest = Math.max(...shape);
  const spans = cuts.map((row) => row.slice(1).map((high, i) => {
    const middle = (row[i] + high) / 2 / longest;
    const half = (GAP * (high - row[i])) / 2 / longest;
    return [middle - half, middle + half];
  }));
  const boxes = [];
  let chunk = 0;
  for (const x of spans[0]) for (const y of spans[1]) for (const z of spans[2])
    boxes.push({ chunk: chunk++, x, y, z });
  return boxes.sort((a, b) => a.x[0] + a.y[0] + a.z[0] - (b.x[0] + b.y[0] + b.z[0]));
}

// The three faces that are seen, each with how bright it is.
function faces({ x: [x0, x1], y: [y0, y1], z: [z0, z1] }) {
  return [
    [1.0, [[x0, y0, z1], [x1, y0, z1], [x1, y1, z1], [x0, y1, z1]]],
    [0.8, [[x1, y0, z0], [x1, y1, z0], [x1, y1, z1], [x1, y0, z1]]],
    [0.6, [[x0, y1, z0], [x1, y1, z0], [x1, y1, z1], [x0, y1, z1]]],
  ];
}

export function drawBoxes(canvas, job, finished) {
  const ratio = devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  canvas.width = width * ratio;
  canvas.height = height * ratio;
  const pen = canvas.getContext("2d");
  const longest = Math.max(...job.grid.shape);
  const [a, b, c] = job.grid.shape.map((n) => n / longest);
  const scale = 0.94 * Math.min(width / ((a + b) * COS), height / ((a + b) * SIN + c));
  pen.setTransform(ratio * scale, 0, 0, ratio * scale, 0, 0);
  pen.translate(width / scale / 2 - ((a - b) * COS) / 2, height / scale / 2 + c / 2 - ((a + b) * SIN) / 2);
  pen.lineWidth = 1 / scale;
  const lit = new Set(finished);
  const [on, edge] = [colour("accent"), colour("edge")];
  for (const box of boxesOf(job.chunks.cuts, job.grid.shape)) {
    const isLit = lit.has(box.chunk);
    for (const [bright, corners] of faces(box)) {
      pen.beginPath();
      for (const corner of corners) pen.lineTo(...project(...corner));
      pen.closePath();
      if (isLit) {
        for (const [style, alpha] of [[on, 1], ["#000", 1 - bright]]) {
          pen.globalAlpha = alpha;
          pen.fillStyle = style;
          pen.fill();
        }
      }
      pen.globalAlpha = isLit ? 1 : 0.45;
      pen.strokeStyle = edge;
      pen.stroke();
    }
  }
}

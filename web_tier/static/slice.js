// One layer of the grid as a picture, computed here from the atoms.

import { diverging, quantile } from "./colours.js";

const PAIRS = 8e6; // about a tenth of a second
const WIDTH = 720; // of the picture, in its own pixels
const SHADES = 0.92; // of the values are told apart by their shade; wells and peaks are full

export class Slice {
  constructor(canvas, field, job) {
    this.canvas = canvas;
    this.field = field;
    this.job = job;
    const [nx, ny] = job.grid.shape;
    const most = Math.sqrt(PAIRS / field.atoms.length / (nx * ny));
    this.columns = Math.max(8, Math.min(nx, 256, Math.floor(nx * most)));
    this.rows = Math.max(8, Math.min(ny, 256, Math.floor(ny * most)));
    this.scale = null; // the value from which on colours are full, below zero and above
  }

  draw(layer) {
    const { canvas, field, columns, rows } = this;
    const { origin, spacing, shape } = this.job.grid;
    const step = [(shape[0] - 1) / Math.max(1, columns - 1), (shape[1] - 1) / Math.max(1, rows - 1)];
    const least = (Math.min(...spacing) / 4) ** 2;
    const z = origin[2] + spacing[2] * layer;
    const values = new Float64Array(columns * rows);
    for (let j = 0; j < rows; j++)
      for (let i = 0; i < columns; i++)
        values[j * columns + i] = field.near(
          origin[0] + spacing[0] * i * step[0], origin[1] + spacing[1] * j * step[1], z, least);
    // One scale for all layers, so that they can be compared.
    this.scale ??= quantile(values.map(Math.abs), SHADES) || 1;
    const small = new OffscreenCanvas(columns, rows);
    const image = new ImageData(columns, rows);
    values.forEach((value, place) => {
      const up = rows - 1 - Math.floor(place / columns); // y points up
      image.data.set([...diverging(value / this.scale), 255], 4 * (up * columns + (place % columns)));
    });
    small.getContext("2d").putImageData(image, 0, 0);
    canvas.width = WIDTH;
    canvas.height = Math.max(1, Math.round((WIDTH * shape[1] * spacing[1]) / (shape[0] * spacing[0])));
    const pen = canvas.getContext("2d");
    pen.imageSmoothingEnabled = false;
    pen.drawImage(small, 0, 0, canvas.width, canvas.height);
    const [bx, by, bz] = this.job.result.index;
    if (bz === layer)
      mark(pen, ((bx + 0.5) / shape[0]) * canvas.width, (1 - (by + 0.5) / shape[1]) * canvas.height);
  }
}

// A cross whose arms leave the point itself free.
function mark(pen, x, y) {
  for (const [style, width] of [["#000", 5], ["#f5b800", 2.5]]) {
    pen.strokeStyle = style;
    pen.lineWidth = width;
    pen.beginPath();
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      pen.moveTo(x + dx * 10, y + dy * 10);
      pen.lineTo(x + dx * 34, y + dy * 34);
    }
    pen.stroke();
  }
}

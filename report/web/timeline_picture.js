// SPDX-License-Identifier: MIT
// How the timeline is drawn: the overview, the axis, a row for each thread, a frame around what is chosen. What is shown (view, options,
// chosen) is timeline.js's.

const STRIP = 4,
  AXIS = 20;

class TimelinePicture {
  recolor() {
    this.colors = null;
    this.draw();
  }

  draw() {
    if (this.pending) return;
    this.pending = requestAnimationFrame(() => {
      this.pending = 0;
      const begun = performance.now();
      this.colors ||= readColors();
      this.drawRows();
      this.drawOverview();
      this.frame_ms = performance.now() - begun;
      this.frames = (this.frames || 0) + 1;
    });
  }

  gutter() {
    return this.rows.clientWidth < 600 ? 0 : 150;
  }

  sized(canvas, width, height) {
    const ratio = Math.min(2, devicePixelRatio || 1);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const pen = canvas.getContext("2d");
    return { ratio, pen };
  }

  drawRows() {
    const { spans, colors, view } = this;
    const width = this.rows.clientWidth,
      height = this.rows.clientHeight,
      gutter = this.gutter();
    const { ratio, pen } = this.sized(this.canvas, width, height);
    const top = this.rows.scrollTop,
      pixels = new Pixels(Math.round((width - gutter) * ratio), Math.round((height - AXIS) * ratio));
    const from = Math.floor(top / this.row),
      to = Math.min(spans.lanes.length, Math.ceil((top + height) / this.row));
    const lettering = [];
    for (let k = from; k < to; ++k) {
      const y = k * this.row - top + 5;
      const box = {
        y: Math.round(y * ratio),
        body: Math.round(this.body * ratio),
        strip: Math.round(STRIP * ratio),
      };
      lettering.push([
        k,
        y,
        paintLane(pixels, spans, this.kindOf, spans.lanes[k], box, view, colors, this.options),
      ]);
      if (this.found) paintFound(pixels, spans, spans.lanes[k], this.found, box, view, colors);
    }
    pen.putImageData(pixels.image, Math.round(gutter * ratio), Math.round(AXIS * ratio));
    pen.scale(ratio, ratio);
    this.axis(pen, gutter, width, height);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    pen.save();
    pen.beginPath();
    pen.rect(0, AXIS, width, height - AXIS);
    pen.clip();
    for (const [k, y, words] of lettering) {
      pen.fillStyle = colors.css("word");
      for (const word of words) {
        const x = Math.max(0, word.x / ratio),
          room = (word.x + word.width) / ratio - x - 8;
        const text = this.facts.calls[spans.name[word.span]][0];
        if (pen.measureText(text).width <= room)
          pen.fillText(text, gutter + x + 5, AXIS + y + this.body / 2 + 0.5);
      }
      this.laneName(pen, k, y, gutter);
    }
    this.frameChosen(pen, gutter, width);
    pen.restore();
  }

  laneName(pen, k, y, gutter) {
    const lane = this.spans.lanes[k],
      name = `${lane.program || "?"} ${lane.tid}`;
    pen.fillStyle = this.colors.css("ink");
    pen.font = `${this.chosen.lane === k ? "bold " : ""}12px system-ui, sans-serif`;
    if (gutter) {
      pen.fillText(name, 2, AXIS + y + this.body / 2, gutter - 10);
    } else {
      pen.font = "bold 10px system-ui, sans-serif";
      const width = pen.measureText(name).width;
      pen.globalAlpha = 0.8;
      pen.fillStyle = this.colors.css("paper");
      pen.fillRect(0, AXIS + y - 4, width + 6, 11);
      pen.globalAlpha = 1;
      pen.fillStyle = this.colors.css("ink");
      pen.fillText(name, 3, AXIS + y + 2);
    }
    pen.font = "11px system-ui, sans-serif";
  }

  axis(pen, gutter, width) {
    const { view } = this,
      room = width - gutter,
      step = niceStep(((view.to - view.from) * 100) / room);
    pen.font = "11px system-ui, sans-serif";
    pen.textBaseline = "middle";
    for (let moment = Math.ceil(view.from / step) * step; moment <= view.to; moment += step) {
      const x = gutter + ((moment - view.from) / (view.to - view.from)) * room,
        text = momentText(moment, step);
      pen.fillStyle = this.colors.css("line");
      pen.fillRect(Math.round(x), 14, 1, 6);
      pen.fillStyle = this.colors.css("soft");
      if (x + pen.measureText(text).width + 4 < width) pen.fillText(text, x + 3, 8);
    }
  }

  frameChosen(pen, gutter, width) {
    const { span, lane } = this.chosen;
    if (span < 0) return;
    const scale = (width - gutter) / (this.view.to - this.view.from);
    const x = Math.max(gutter, gutter + (this.spans.start[span] - this.view.from) * scale);
    const end = Math.min(width, Math.max(x + 3, gutter + (this.spans.end[span] - this.view.from) * scale));
    if (end < gutter || x > width) return;
    pen.lineWidth = 2;
    pen.strokeStyle = this.colors.css("ink");
    pen.strokeRect(
      x - 1,
      AXIS + lane * this.row - this.rows.scrollTop + 4,
      end - x + 2,
      this.body + STRIP + 3,
    );
  }

  // All threads together: the height is the number of threads that are inside a call.
  drawOverview() {
    const { spans, colors, all } = this;
    const width = this.overview.parentElement.clientWidth - this.gutter(),
      height = 48;
    const { ratio, pen } = this.sized(this.overview, width, height);
    const columns = Math.round(width * ratio),
      key = `${columns}${this.options.hidden}`;
    if (this.summed?.key !== key) {
      const sums = new Float64Array(columns * KINDS),
        one = new Float64Array(SUMS),
        column = (all.to - all.from) / columns;
      for (const lane of spans.lanes) {
        let low = lane.from;
        for (let x = 0; x < columns && low < lane.to; ++x) {
          low = sumBetween(spans, this.kindOf, lane, x * column, (x + 1) * column, one, low);
          for (let kind = 0; kind < KINDS; ++kind)
            if (!this.options.hidden[kind]) sums[x * KINDS + kind] += one[kind] / column;
        }
      }
      let most = 1e-9;
      for (let x = 0; x < columns; ++x)
        most = Math.max(
          most,
          sums.subarray(x * KINDS, (x + 1) * KINDS).reduce((a, b) => a + b, 0),
        );
      this.summed = { key, sums, most };
    }
    const pixels = new Pixels(columns, Math.round(height * ratio));
    pixels.fill(0, 0, columns, pixels.height, colors.paper);
    for (let x = 0; x < columns; ++x) {
      let exact = 0,
        bottom = pixels.height;
      for (let kind = 0; kind < KINDS; ++kind) {
        exact += (this.summed.sums[x * KINDS + kind] / this.summed.most) * pixels.height;
        const top = pixels.height - Math.round(exact);
        if (top < bottom) pixels.kind(x, top, 1, bottom - top, kind, colors, this.options.patterns);
        bottom = Math.min(bottom, top);
      }
    }
    pen.putImageData(pixels.image, 0, 0);
    pen.scale(ratio, ratio);
    const x = (moment) => ((moment - all.from) / (all.to - all.from)) * width;
    const [left, right] = this.brush
      ? [Math.min(...this.brush), Math.max(...this.brush)]
      : [this.view.from, this.view.to];
    pen.fillStyle = colors.css("veil");
    pen.fillRect(0, 0, x(left), height);
    pen.fillRect(x(right), 0, width - x(right), height);
    pen.strokeStyle = colors.css("ink");
    pen.lineWidth = 2;
    pen.strokeRect(Math.min(x(left) + 1, width - 3), 1, Math.max(2, x(right) - x(left) - 2), height - 2);
  }
}

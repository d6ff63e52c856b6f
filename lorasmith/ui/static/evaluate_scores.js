// The scores of an evaluation over its epochs: a plot for each measure, a line for each weight with its band; a point leads to its cells.
(function () {
  "use strict";
  const { make, note } = window.lorasmith;
  const E = window.lorasmith.evaluate;
  const SPACE = "http://www.w3.org/2000/svg";
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [380, 156, 34, 12, 10, 24];
  const SHAPES = ["circle", "square", "triangle", "diamond"]; // so that nobody has to tell colours apart
  const MOST_MARKS = 9; // epochs named below a plot

  function svg(tag, attributes, ...inside) {
    const node = document.createElementNS(SPACE, tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...inside);
    return node;
  }

  E.drawers.scores = function (node, one) {
    if (!one.plots.length) return node.replaceChildren(note("Nothing could be measured: the tagger knows none of the character's own tags."));
    const weights = [...new Set(one.plots.flatMap((plot) => plot.lines.map((line) => line.weight)))].sort((a, b) => a - b);
    const legend = weights.map((weight, at) => make("span", { class: `lse-line${at % 4}` }, key(at), ` weight ${weight}`));
    const marks = [make("span", {}, lineOf("lse-alone"), " without LoRA"), make("span", {}, lineOf("lse-bar"), " where the verdict turns"), make("span", {}, "band: ± one deviation")];
    node.replaceChildren(
      make("div", { class: "lse-legend" }, ...legend, ...marks),
      make("div", { class: "lse-plots" }, ...one.plots.map((plot) => figure(plot, weights, one))),
    );
  };

  function key(at) {
    const box = svg("svg", { viewBox: "0 0 34 14", width: "34", height: "14", class: "lse-key", "aria-hidden": "true" });
    box.append(svg("line", { x1: 1, x2: 33, y1: 7, y2: 7, class: "lse-path" }), shape(SHAPES[at % 4], 17, 7, 4.5));
    return box;
  }

  function lineOf(kind) {
    return svg("svg", { viewBox: "0 0 34 14", width: "34", height: "14", class: "lse-key", "aria-hidden": "true" }, svg("line", { x1: 1, x2: 33, y1: 7, y2: 7, class: kind }));
  }

  function shape(kind, x, y, r) {
    if (kind === "circle") return svg("circle", { cx: x, cy: y, r });
    if (kind === "square") return svg("rect", { x: x - r, y: y - r, width: 2 * r, height: 2 * r });
    const points = kind === "triangle" ? [[0, -1.2], [1.1, 0.9], [-1.1, 0.9]] : [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]];
    return svg("polygon", { points: points.map(([dx, dy]) => `${x + dx * r},${y + dy * r}`).join(" ") });
  }

  function figure(plot, weights, one) {
    const epochs = [...new Set(plot.lines.flatMap((line) => line.points.map((point) => point.epoch)))].sort((a, b) => a - b);
    const top = Math.max(1, ...plot.lines.flatMap((line) => line.points.map((point) => point.high))); // shares of one, but for diversity
    const [least, most] = [epochs[0], epochs[epochs.length - 1]];
    const across = (epoch) => (most === least ? LEFT + (WIDTH - LEFT - RIGHT) / 2 : LEFT + 14 + ((epoch - least) / (most - least)) * (WIDTH - LEFT - RIGHT - 28));
    const up = (value) => TOP + (1 - value / top) * (HEIGHT - TOP - BOTTOM);
    const box = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "lse-plot", role: "group", "aria-label": `${plot.title} over epochs` });
    for (const share of [0, 0.5, 1]) {
      const y = up(share * top);
      box.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y, class: "lse-rule" }), text(LEFT - 5, y + 4, (share * top).toFixed(1), "end"));
    }
    const every = Math.ceil(epochs.length / MOST_MARKS);
    epochs.filter((epoch, at) => at % every === 0).forEach((epoch) => box.append(text(across(epoch), HEIGHT - 8, epochs.length === 1 ? `epoch ${epoch}` : String(epoch), "middle")));
    for (const [value, kind] of [[plot.base, "lse-alone"], [plot.bar, "lse-bar"]]) {
      if (value !== null) box.append(svg("line", { x1: LEFT, x2: WIDTH - RIGHT, y1: up(Math.min(value, top)), y2: up(Math.min(value, top)), class: kind }));
    }
    const best = one.best ? E.keyOf(one.best) : "";
    const last = (line) => Number(Boolean(one.best) && line.weight === one.best.weight); // what is recommended is not hidden
    [...plot.lines].sort((a, b) => last(a) - last(b)).forEach((line) => box.append(...drawn(line, weights.indexOf(line.weight), plot, across, up, best)));
    return make("figure", { class: "lse-figure" }, make("figcaption", {}, make("b", {}, plot.title), ` ${plot.words}`), box);
  }

  function drawn(line, at, plot, across, up, best) {
    const group = svg("g", { class: `lse-line${at % 4}` });
    const shift = (at - 0.5) * (line.points.length === 1 ? 22 : 0); // one epoch alone: weights side by side
    const place = (point) => across(point.epoch) + shift;
    const high = line.points.map((point) => `${place(point)},${up(point.high)}`);
    const low = line.points.map((point) => `${place(point)},${up(point.low)}`).reverse();
    if (line.points.length > 1) group.append(svg("polygon", { points: [...high, ...low].join(" "), class: "lse-band" }), svg("polyline", { points: line.points.map((point) => `${place(point)},${up(point.mean)}`).join(" "), class: "lse-path" }));
    for (const point of line.points) {
      if (line.points.length === 1) group.append(svg("line", { x1: place(point), x2: place(point), y1: up(point.high), y2: up(point.low), class: "lse-path" }));
      const key = E.keyOf({ epoch: point.epoch, weight: line.weight });
      const words = `${plot.title} ${E.two(point.mean)}, from ${E.two(point.low)} to ${E.two(point.high)}, at epoch ${point.epoch}, weight ${line.weight}${key === best ? ", recommended" : ""}`;
      const mark = svg("g", { class: key === best ? "lse-point lse-recommended" : "lse-point", role: "button", tabindex: "0", "aria-label": `${words}: show its renders`, "data-point": `${plot.measure}:${key}` }, shape(SHAPES[at % 4], place(point), up(point.mean), key === best ? 6.5 : 5), svg("title", {}, words));
      const open = () => E.go({ part: "pictures", kind: kindOf(plot.kind), column: key });
      mark.addEventListener("click", open);
      mark.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); open(); } });
      group.append(mark);
    }
    return [group];
  }

  // A measure shows in the renders of one question; which of several the person looked at stays.
  function kindOf(kind) {
    const flexible = ["framing", "view", "pose", "expression", "background", "clothing"];
    return kind === "pose" && flexible.includes(E.look().kind) ? E.look().kind : kind;
  }

  function text(x, y, words, anchor) {
    return svg("text", { x, y, "text-anchor": anchor }, words);
  }
})();

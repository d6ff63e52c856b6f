// The loss of a run as a picture: steps, smoothed, means of epochs and validation; what stands under the pointer or the arrow keys is told.
(function () {
  "use strict";
  const { make, button } = window.lorasmith;
  const t = window.lorasmith.training;
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM] = [860, 290, 54, 14, 12, 30];
  const SERIES = { raw: "steps", smooth: "smoothed", epochs: "epochs", validation: "validation" };
  let shown = { raw: true, smooth: true, epochs: true, validation: true };

  function svg(tag, attributes, ...inside) {
    const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...inside);
    return node;
  }

  // Gives even numbers between two: about `count` of them.
  function ticks(low, high, count) {
    const rough = (high - low) / count || 1;
    const power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const found = [];
    for (let at = Math.ceil(low / step) * step; at <= high + step / 1e6; at += step) found.push(Number(at.toPrecision(12)));
    return found;
  }

  // Where the losses lie: a few steps far off do not press all others flat.
  function span(run) {
    const raw = run.points.map((one) => one[1]).sort((a, b) => a - b);
    const far = (share) => raw[Math.min(raw.length - 1, Math.floor(share * raw.length))];
    const others = [...run.points.map((one) => one[2]), ...run.ended_epochs.flatMap((one) => [one.loss, one.validation_loss])].filter((one) => typeof one === "number");
    const all = [...others, ...(shown.raw && raw.length ? [far(0.01), far(0.99)] : [])];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    const room = (high - low) * 0.06 || high * 0.06 || 0.01;
    return [Math.max(0, low - room), high + room];
  }

  function plot(run) {
    const [low, high] = span(run);
    const last = Math.max(run.steps, ...run.points.map((one) => one[0]));
    const x = (step) => LEFT + ((WIDTH - LEFT - RIGHT) * step) / (last || 1);
    const y = (loss) => TOP + ((HEIGHT - TOP - BOTTOM) * (high - Math.min(high, Math.max(low, loss)))) / (high - low || 1);
    const line = (points) => points.map(([step, loss]) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" ");
    const words = (left, top, text, anchor) => svg("text", { x: left, y: top, "text-anchor": anchor }, text);
    const parts = [];
    for (const loss of ticks(low, high, 5)) parts.push(svg("line", { class: "lsr-grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(loss), y2: y(loss) }), words(LEFT - 7, y(loss) + 4, t.figure(loss, 4), "end"));
    for (const step of ticks(0, last, 8).filter((one) => x(one) < WIDTH - RIGHT - 90)) parts.push(words(x(step), HEIGHT - 9, step.toLocaleString("en"), step ? "middle" : "start"));
    parts.push(words(WIDTH - RIGHT, HEIGHT - 9, `${last.toLocaleString("en")} steps`, "end"));
    for (const one of run.ended_epochs) parts.push(svg("line", { class: "lsr-epoch", x1: x(one.step), x2: x(one.step), y1: TOP, y2: HEIGHT - BOTTOM }));
    if (shown.raw) parts.push(svg("polyline", { class: "lsr-raw", points: line(run.points) }));
    if (shown.smooth) parts.push(svg("polyline", { class: "lsr-smooth", points: line(run.points.map((one) => [one[0], one[2]])) }));
    if (shown.epochs) parts.push(...run.ended_epochs.map((one) => svg("circle", { class: "lsr-dot", cx: x(one.step), cy: y(one.loss), r: 4 })));
    const checked = run.ended_epochs.filter((one) => one.validation_loss !== null);
    if (shown.validation && checked.length) {
      parts.push(svg("polyline", { class: "lsr-valid", points: line(checked.map((one) => [one.step, one.validation_loss])) }));
      parts.push(...checked.map((one) => svg("rect", { class: "lsr-diamond", x: -4, y: -4, width: 8, height: 8, transform: `translate(${x(one.step)} ${y(one.validation_loss)}) rotate(45)` })));
    }
    const cursor = svg("g", { class: "lsr-cursor", visibility: "hidden" }, svg("line", { y1: TOP, y2: HEIGHT - BOTTOM }), svg("circle", { r: 4.5 }));
    const picture = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "lsr-plot", role: "img", tabindex: "0", "aria-label": told(run) }, ...parts, cursor);
    return { picture, cursor, x, y };
  }

  // The picture in words.
  function told(run) {
    const [first, now] = [run.points[0], run.points[run.points.length - 1]];
    const epochs = run.ended_epochs.map((one) => `epoch ${one.epoch} ${t.figure(one.loss)}${one.validation_loss === null ? "" : `, validation ${t.figure(one.validation_loss)}`}`).slice(-5);
    return `Loss over ${run.steps.toLocaleString("en")} steps, smoothed: ${t.figure(first[2])} at step ${first[0]}, ${t.figure(now[2])} at step ${now[0]}. ${epochs.length ? `Means: ${epochs.join("; ")}. ` : ""}Arrow keys go along it.`;
  }

  // Draws the plot with its legend into a place; what is under the pointer stays told while new steps come.
  window.lorasmith.training.plot = function (place, run) {
    if (run.points.length < 2) {
      place.dataset.at = "";
      place.replaceChildren(make("p", { class: "lsr-soft" }, run.state === "at work" ? "The loss is drawn from the twentieth step on." : "No steps yet."));
      return;
    }
    const focused = place.contains(document.activeElement) && document.activeElement.dataset.series;
    const onPlot = place.contains(document.activeElement) && !focused;
    const { picture, cursor, x, y } = plot(run);
    const readout = make("output", { class: "lsr-readout", "aria-live": "polite" });
    const checked = run.ended_epochs.some((one) => one.validation_loss !== null);
    const keys = Object.entries(SERIES).filter(([name]) => name !== "validation" || checked).map(([name, words]) => {
      const key = button(words, () => { shown = { ...shown, [name]: !shown[name] }; window.lorasmith.training.plot(place, run); }, { class: `lsr-key lsr-key-${name}`, "aria-pressed": String(shown[name]), "data-series": name, title: `shows or hides: ${words}` });
      key.prepend(make("i", { "aria-hidden": "true" }));
      return key;
    });
    const point = (at) => {
      place.dataset.at = at === null ? "" : String(run.points[at][0]);
      cursor.setAttribute("visibility", at === null ? "hidden" : "visible");
      readout.textContent = at === null ? "" : "";
      if (at === null) return;
      const [step, loss, smooth] = run.points[at];
      const epoch = run.ended_epochs.filter((one) => one.step < step).length + 1;
      cursor.firstChild.setAttribute("x1", x(step));
      cursor.firstChild.setAttribute("x2", x(step));
      cursor.lastChild.setAttribute("cx", x(step));
      cursor.lastChild.setAttribute("cy", y(smooth));
      readout.textContent = `step ${step.toLocaleString("en")}, epoch ${epoch}: loss ${t.figure(loss)}, smoothed ${t.figure(smooth)}`;
    };
    const nearest = (step) => run.points.reduce((best, one, at) => (Math.abs(one[0] - step) < Math.abs(run.points[best][0] - step) ? at : best), 0);
    picture.addEventListener("pointermove", (event) => {
      const box = picture.getBoundingClientRect();
      const left = ((event.clientX - box.left) / box.width) * WIDTH;
      point(nearest(((left - LEFT) / (WIDTH - LEFT - RIGHT)) * (Math.max(run.steps, run.points[run.points.length - 1][0]) || 1)));
    });
    picture.addEventListener("pointerleave", () => point(null));
    picture.addEventListener("keydown", (event) => {
      const now = place.dataset.at ? nearest(Number(place.dataset.at)) : run.points.length - 1;
      const to = { ArrowLeft: now - 1, ArrowRight: now + 1, Home: 0, End: run.points.length - 1, PageUp: now - 20, PageDown: now + 20 }[event.key];
      if (event.key === "Escape") point(null);
      if (to === undefined) return;
      event.preventDefault();
      point(Math.min(run.points.length - 1, Math.max(0, to)));
    });
    place.replaceChildren(make("div", { class: "lsr-legend", role: "group", "aria-label": "what the plot shows" }, ...keys, readout), picture);
    if (place.dataset.at) point(nearest(Number(place.dataset.at)));
    if (focused) place.querySelector(`[data-series="${focused}"]`).focus();
    else if (onPlot) picture.focus({ preventScroll: true });
  };

  // The learning rate of a run as a small line.
  window.lorasmith.training.spark = function (rates) {
    const [width, height] = [220, 34];
    const [last, most] = [Math.max(...rates.map((one) => one[0])), Math.max(...rates.map((one) => one[1]))];
    const points = rates.map(([step, rate]) => `${((width * step) / (last || 1)).toFixed(1)},${(height - 2 - ((height - 4) * rate) / (most || 1)).toFixed(1)}`).join(" ");
    return svg("svg", { viewBox: `0 0 ${width} ${height}`, class: "lsr-spark", preserveAspectRatio: "none", role: "img", "aria-label": `learning rate: from ${t.figure(rates[0][1])} to ${t.figure(rates[rates.length - 1][1])}, at most ${t.figure(most)}` }, svg("polyline", { points }));
  };
})();

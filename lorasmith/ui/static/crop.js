// The frame: a person moves the suggested crop (or the head's) over the picture, sees what training makes of it, and decides.
(function () {
  "use strict";
  const { make, button, get, post, tell } = window.lorasmith;
  const LEAST = 16; // pixels of a crop's side
  const EDGES = { n: "upper edge", ne: "upper right corner", e: "right edge", se: "lower right corner", s: "lower edge", sw: "lower left corner", w: "left edge", nw: "upper left corner" };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const STATES = { suggested: "suggested", possible: "not made so far", accepted: "accepted by you", refused: "refused by you", none: "nothing was found: set the box yourself" };

  // As training does it: the nearest aspect ratio on a log scale (the larger area wins a tie), covered and cut in the middle.
  function fate([left, top, right, bottom], buckets, maxSide) {
    let size = [right - left, bottom - top];
    const longest = Math.max(...size);
    if (longest > maxSide) size = size.map((side) => Math.max(1, Math.round((side * maxSide) / longest)));
    const off = (bucket) => Number(Math.abs(Math.log(bucket[0] / bucket[1]) - Math.log(size[0] / size[1])).toFixed(9));
    const order = (one, two) => off(one) - off(two) || two[0] * two[1] - one[0] * one[1] || one[0] - two[0] || one[1] - two[1];
    const bucket = buckets.find((each) => each[0] === size[0] && each[1] === size[1]) || buckets.slice().sort(order)[0];
    const factor = Math.max(bucket[0] / size[0], bucket[1] / size[1]);
    const cover = size.map((side, at) => Math.max(bucket[at], Math.floor(side * factor + 0.5)));
    const lost = 1 - (bucket[0] * bucket[1]) / (cover[0] * cover[1]);
    return { size, bucket, factor, lost, pixels: Math.round(lost * size[0] * size[1]), kept: [bucket[0] / cover[0], bucket[1] / cover[1]] };
  }

  function moved(box, edge, across, down, whole) {
    let [left, top, right, bottom] = box;
    if (!edge) {
      across = Math.min(Math.max(across, -left), whole[0] - right);
      down = Math.min(Math.max(down, -top), whole[1] - bottom);
      return [left + across, top + down, right + across, bottom + down];
    }
    if (edge.includes("w")) left = Math.min(Math.max(0, left + across), right - LEAST);
    if (edge.includes("e")) right = Math.max(Math.min(whole[0], right + across), left + LEAST);
    if (edge.includes("n")) top = Math.min(Math.max(0, top + down), bottom - LEAST);
    if (edge.includes("s")) bottom = Math.max(Math.min(whole[1], bottom + down), top + LEAST);
    return [left, top, right, bottom];
  }

  window.lorasmith.fate = fate;
  window.lorasmith.crop = async function (tile) {
    const found = await get("api/suggestion", { name: tile.dataset.name });
    if (found.error) return tell(found.error, "warn");
    const picture = new Image();
    picture.alt = found.name;
    picture.draggable = false;
    picture.onload = () => { picture.onload = picture.onerror = null; frame(found, picture); };
    picture.onerror = () => { // a kind that browsers do not show, or a broken file
      picture.onerror = () => tell("The picture cannot be shown.", "warn");
      picture.src = found.small;
    };
    picture.src = found.large;
  };

  function frame(found, picture) {
    const whole = [found.width, found.height];
    const third = Math.max(LEAST, Math.round(Math.min(...whole) / 3));
    const middle = [Math.round((whole[0] - third) / 2), Math.round((whole[1] - third) / 2)];
    const boxes = {
      crop: found.crop ? found.crop.box.slice() : [0, 0, ...whole],
      head: found.head ? found.head.box.slice() : [...middle, middle[0] + third, middle[1] + third],
    };
    let kind = "crop";
    let drag = null;
    const opener = document.activeElement;

    const rest = make("div", { class: "ls-other" });
    const kept = make("div", { class: "ls-kept" });
    const box = make("div", { class: "ls-box", tabindex: "0", role: "group", "aria-label": "the crop: arrow keys move it, with shift by ten pixels" }, kept);
    for (const [edge, words] of Object.entries(EDGES)) box.append(make("i", { class: `ls-grip ls-grip-${edge}`, "data-edge": edge, tabindex: "0", role: "button", "aria-label": words }));
    const canvas = make("div", { class: "ls-canvas" }, picture, rest, box);
    const told = make("span", { class: "ls-fate", role: "status" });
    const kinds = ["crop", "head"].map((one) => button(one === "crop" ? "Crop" : "Head", () => choose(one), { class: "ls-kind" }));
    const wholeButton = button("Whole picture", () => decide("whole"));
    const tools = make("div", { class: "ls-tools" }, ...kinds, told, button("Accept", () => decide("accept"), { class: "ls-primary" }), button("Refuse", () => decide("refuse")), wholeButton, button("cancel", close));
    const dialog = make("div", { class: "ls-eraser ls-cropper", role: "dialog", "aria-modal": "true", "aria-label": `crop of ${found.name}` }, tools, make("div", { class: "ls-easel" }, canvas));

    function choose(one) {
      kind = one;
      kinds.forEach((each, at) => each.setAttribute("aria-pressed", String((at === 0) === (kind === "crop"))));
      wholeButton.hidden = kind !== "crop";
      redraw();
    }

    function place(node, [left, top, right, bottom]) {
      node.style.left = `${(100 * left) / whole[0]}%`;
      node.style.top = `${(100 * top) / whole[1]}%`;
      node.style.width = `${(100 * (right - left)) / whole[0]}%`;
      node.style.height = `${(100 * (bottom - top)) / whole[1]}%`;
    }

    function redraw() {
      const will = fate(boxes[kind], found.buckets, found.max_side);
      const other = kind === "crop" ? "head" : "crop";
      place(box, boxes[kind]);
      rest.hidden = !found[other];
      place(rest, boxes[other]);
      kept.style.width = `${100 * will.kept[0]}%`;
      kept.style.height = `${100 * will.kept[1]}%`;
      const lost = will.pixels ? `${will.pixels} pixels (${(100 * will.lost).toFixed(1)} %) cut off` : "nothing cut off";
      const enlarged = will.factor > 1.005 ? `, enlarged ${will.factor.toFixed(2)} times` : "";
      const set = found[kind] && found[kind].box.join() === boxes[kind].join();
      const state = !found[kind] ? STATES.none : set ? STATES[found[kind].state] : "moved by you, not saved";
      told.replaceChildren(make("b", {}, `${will.size.join(" x ")} → bucket ${will.bucket.join(" x ")} · ${state}`), make("span", {}, lost + enlarged));
    }

    function at(event) {
      const shown = canvas.getBoundingClientRect();
      return [((event.clientX - shown.left) * whole[0]) / shown.width, ((event.clientY - shown.top) * whole[1]) / shown.height];
    }

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      event.preventDefault();
      const start = at(event);
      const edge = event.target.dataset.edge;
      if (edge || box.contains(event.target)) drag = { edge, start, from: boxes[kind] };
      else { // beside the box: a new one begins here
        const [left, top] = [Math.min(Math.max(0, Math.round(start[0])), whole[0] - LEAST), Math.min(Math.max(0, Math.round(start[1])), whole[1] - LEAST)];
        drag = { edge: "se", start, from: [left, top, left + LEAST, top + LEAST] };
      }
      canvas.setPointerCapture(event.pointerId);
      (edge ? event.target : box).focus();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const now = at(event);
      boxes[kind] = moved(drag.from, drag.edge, Math.round(now[0] - drag.start[0]), Math.round(now[1] - drag.start[1]), whole);
      redraw();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { drag = null; });

    dialog.addEventListener("keydown", (event) => {
      if (event.key === "Escape") close();
      else if (event.key === "Tab") keepInside(event);
      else if (event.key === "Enter" && box.contains(event.target)) decide("accept");
      else if (event.key in ARROWS && box.contains(event.target)) {
        const [across, down] = ARROWS[event.key].map((one) => one * (event.shiftKey ? 10 : 1));
        boxes[kind] = moved(boxes[kind], event.target.dataset.edge, across, down, whole);
        redraw();
      } else return;
      if (event.key !== "Tab") event.preventDefault();
      event.stopPropagation();
    });

    function keepInside(event) {
      const stops = Array.from(dialog.querySelectorAll("button, [tabindex]")).filter((one) => !one.hidden);
      const [last, next] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
      if (document.activeElement !== last) return;
      event.preventDefault();
      next.focus();
    }

    async function decide(verdict) {
      const buttons = Array.from(tools.querySelectorAll("button"));
      buttons.forEach((one) => { one.disabled = true; }); // a second click is not a second crop
      const done = await post("api/suggestion", { name: found.name, kind, verdict, box: boxes[kind] });
      buttons.forEach((one) => { one.disabled = false; });
      if (!done) return;
      const made = { accept: `${done.name} is your ${kind}.`, refuse: `No ${kind} is made of ${found.name}.`, whole: `${found.name} is trained whole.` };
      tell(done.refused && verdict === "accept" ? made.whole : made[verdict]);
      close();
    }

    function close() {
      dialog.remove();
      if (opener && opener.isConnected) opener.focus();
    }

    document.body.append(dialog);
    choose("crop");
    box.focus();
  }
})();

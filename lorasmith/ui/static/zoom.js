// One picture large, over the page: wheel, pinch and drag zoom it, arrow keys move to its neighbours; beside it what is known of it.
(function () {
  "use strict";
  const { make, button } = window.lorasmith;
  const MOST = 24;
  const STEP = 1.25; // of a key or a notch of the wheel
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

  // given: step(dx, dy) moves and says whether it could; look() tells of the picture that it stands on: {src, alt, title, panel, other};
  // keys: letter -> what it does; closed(): where the focus goes. Gives {again, close}.
  window.lorasmith.zoom = function (given) {
    let scale = 1, x = 0, y = 0, turn = 0, closed = false, shown = null, beside = false;
    const fingers = new Map();
    const image = make("img", { class: "lsz-image", draggable: "false", alt: "" });
    const gone = make("p", { class: "lsz-gone", hidden: "" }, "The picture cannot be shown: is its file still there?");
    const size = make("output", { class: "lsz-size" });
    const other = button("Base alone (B)", () => swap(!beside), { class: "lsz-other", "aria-pressed": "false", hidden: "" });
    const arrows = [["‹", -1, 0, "left"], ["›", 1, 0, "right"], ["˄", 0, -1, "up"], ["˅", 0, 1, "down"]].map(([mark, dx, dy, word]) => button(mark, () => move(dx, dy), { "aria-label": `neighbour ${word}`, title: `arrow ${word}` }));
    const bar = make("div", { class: "lsz-bar" }, ...arrows, button("−", () => zoom(1 / STEP), { "aria-label": "smaller" }), size, button("+", () => zoom(STEP), { "aria-label": "larger" }), button("fit (0)", fit), other, button("Close (Esc)", close, { class: "lsz-close" }));
    const stage = make("div", { class: "lsz-stage", tabindex: "0", role: "group", "aria-label": "the picture: arrow keys move to its neighbours, plus and minus zoom, 0 fits" }, image, gone);
    const title = make("h3", {});
    const panel = make("div", { class: "lsz-facts" });
    const dialog = make("div", { class: "lsz lse", role: "dialog", "aria-modal": "true", "aria-label": given.label || "one picture", tabindex: "-1" }, make("div", { class: "lsz-left" }, stage, bar), make("aside", { class: "lsz-panel", "aria-live": "polite" }, title, panel));
    const opener = document.activeElement;
    document.body.append(dialog);
    stage.focus();
    fit();
    show();

    image.addEventListener("error", () => { if (image.getAttribute("src")) { gone.hidden = false; image.hidden = true; } });
    image.addEventListener("load", () => { gone.hidden = true; image.hidden = false; });
    dialog.addEventListener("keydown", pressed);
    dialog.addEventListener("keyup", (event) => { if (event.key.toLowerCase() === "b") swap(false); });
    stage.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY < 0 ? STEP : 1 / STEP, event); }, { passive: false });
    stage.addEventListener("dblclick", (event) => (scale > 1 ? fit() : zoom(3, event)));
    stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); fingers.set(event.pointerId, event); });
    stage.addEventListener("pointermove", dragged);
    for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, (event) => fingers.delete(event.pointerId));

    async function show() {
      const mine = ++turn;
      const found = await given.look();
      if (closed || mine !== turn) return;
      shown = found;
      title.textContent = found.title || "";
      panel.replaceChildren(...found.panel);
      if (!dialog.contains(document.activeElement)) stage.focus(); // the button that was pressed has gone
      other.hidden = !found.other;
      draw();
      dialog.dataset.shown = found.name || "";
    }

    function draw() {
      const src = (beside && shown.other) || shown.src;
      other.setAttribute("aria-pressed", String(Boolean(beside && shown.other)));
      image.alt = beside && shown.other ? `without LoRA: ${shown.alt}` : shown.alt;
      if (!src) {
        image.removeAttribute("src");
        image.hidden = true;
        gone.hidden = false;
      } else if (image.getAttribute("src") !== src) image.src = src;
    }

    function swap(on) {
      if (beside === on || !shown || !shown.other) return;
      beside = on;
      draw();
    }

    function place() {
      image.style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
      size.textContent = `${Math.round(100 * scale)} %`;
      stage.classList.toggle("lsz-near", scale > 1);
    }

    function fit() {
      scale = 1;
      x = y = 0;
      place();
    }

    // What is under the pointer stays there.
    function zoom(by, at) {
      const box = stage.getBoundingClientRect();
      const [cx, cy] = at ? [at.clientX - box.left - box.width / 2, at.clientY - box.top - box.height / 2] : [0, 0];
      const now = Math.min(MOST, Math.max(1, scale * by));
      if (now === 1) return fit();
      x = cx - ((cx - x) * now) / scale;
      y = cy - ((cy - y) * now) / scale;
      scale = now;
      place();
    }

    function dragged(event) {
      const before = fingers.get(event.pointerId);
      if (!before) return;
      const rest = [...fingers.entries()].find(([id]) => id !== event.pointerId);
      if (rest) {
        const far = (one) => Math.hypot(one.clientX - rest[1].clientX, one.clientY - rest[1].clientY) || 1;
        zoom(far(event) / far(before), { clientX: (event.clientX + rest[1].clientX) / 2, clientY: (event.clientY + rest[1].clientY) / 2 });
      } else if (scale > 1) {
        x += event.clientX - before.clientX;
        y += event.clientY - before.clientY;
        place();
      }
      fingers.set(event.pointerId, event);
    }

    function move(dx, dy) {
      if (given.step(dx, dy)) show();
    }

    function pressed(event) {
      event.stopPropagation();
      const typing = event.target.matches("input, textarea, select");
      if (event.key === "Tab") return keepInside(event);
      if (event.key === "Escape") close();
      else if (event.ctrlKey || event.metaKey || event.altKey || typing) return;
      else if (event.key in ARROWS) move(...ARROWS[event.key]);
      else if (event.key === "+" || event.key === "=") zoom(STEP);
      else if (event.key === "-") zoom(1 / STEP);
      else if (event.key === "0") fit();
      else if (event.key.toLowerCase() === "b") swap(true);
      else if (given.keys && given.keys[event.key.toLowerCase()]) given.keys[event.key.toLowerCase()]();
      else return;
      event.preventDefault();
    }

    function keepInside(event) {
      const stops = [stage, ...dialog.querySelectorAll("button:not(:disabled, [hidden]), a[href], summary, textarea")].filter((one) => one.offsetParent !== null);
      const [last, first] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
      if (document.activeElement !== last && document.activeElement !== dialog) return;
      event.preventDefault();
      first.focus();
    }

    function close() {
      if (closed) return;
      closed = true;
      dialog.remove();
      const next = given.closed && given.closed();
      if (next) next.focus();
      else if (opener && opener.isConnected) opener.focus();
    }

    return { again: show, close, dialog };
  };
})();

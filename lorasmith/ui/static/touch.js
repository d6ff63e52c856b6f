// Touch-up of one picture: its marks to tick, boxes to add, ground and colours, and its versions before and after.
(function () {
  "use strict";
  const { make, button, get, post, tell, state } = window.lorasmith;
  const LEAST = 4; // pixels of a box's side
  const GROUNDS = ["white", "grey", "pink", "blur"];
  const PARTS = ["one colour", "eyes", "nose", "fur", "hair"];

  function choice(values, label) {
    return make("select", { "aria-label": label }, ...values.map((value) => make("option", { value }, value)));
  }

  // A dialog over the page: Escape closes it, Tab stays inside, and what had the focus gets it back.
  function dialog(label, kind, ...inside) {
    const opener = document.activeElement;
    const box = make("div", { class: `ls-eraser ${kind}`, role: "dialog", "aria-modal": "true", "aria-label": label, tabindex: "-1" }, ...inside);
    box.close = () => { box.remove(); document.removeEventListener("keydown", keys); if (opener && opener.isConnected) opener.focus(); };
    function keys(event) { // heard on the whole page: a button that had the focus may have gone with its part of the dialog
      if (event.key === "Escape") box.close();
      else if (event.key === "Tab") {
        const stops = Array.from(box.querySelectorAll("button, input, select, textarea, a[href]")).filter((one) => one.offsetParent && !one.disabled);
        const [last, next] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
        if (document.activeElement === last || !stops.includes(document.activeElement)) { event.preventDefault(); next.focus(); }
      } else return;
      if (event.key === "Escape") event.preventDefault();
    }
    document.addEventListener("keydown", keys);
    document.body.append(box);
    box.focus();
    return box;
  }

  // Waits for a job of the line; gives its end, or null when the dialog was closed before.
  function ended(job, box) {
    return new Promise((resolve) => {
      const timer = setInterval(() => {
        const one = ((state() || {}).last || []).find((each) => each.id === job);
        if (!one && box.isConnected) return;
        clearInterval(timer);
        resolve(box.isConnected ? one : null);
      }, 300);
    });
  }

  async function ask(words) {
    const found = await get("api/touch-up", words);
    if (!found.error) return found;
    tell(found.error, "warn");
    return null;
  }

  Object.assign(window.lorasmith, { dialog, ended, ask, button });

  window.lorasmith.touch = async function (tile) {
    tell("Looking for marks …");
    const found = await ask({ name: tile.dataset.name });
    if (found) panel(found);
  };

  function panel(found) {
    let boxes = []; // added here: left, top, right, bottom
    let drag = null;
    const picture = new Image();
    const canvas = make("div", { class: "ls-canvas" }, picture);
    const easel = make("div", { class: "ls-easel" }, canvas);
    const told = make("p", { class: "ls-told", role: "status" });
    const side = make("div", { class: "ls-side" });
    const webui = make("input", { type: "checkbox" });
    const box = dialog(`touch-up of ${found.name}`, "ls-cropper ls-toucher", easel, side);

    function show(fresh) {
      found = fresh;
      boxes = [];
      side.replaceChildren(heading(), marks(), ground(), colour(), versions());
      canvas.replaceChildren(picture);
      picture.alt = found.source;
      picture.draggable = false;
      picture.onerror = () => { picture.onerror = null; picture.src = found.small; }; // a kind that browsers do not show
      picture.src = found.large;
      redraw();
    }

    function heading() {
      const top = make("div", { class: "ls-pair" }, make("b", {}, found.name), button("close", () => box.close()));
      if ((state() || {}).has_webui) return make("section", {}, top, make("label", {}, webui, " draw anew with the WebUI's model"), told);
      return make("section", {}, top, told);
    }

    // ---- marks

    function marks() {
      const rows = found.marks.map((mark) => {
        const tick = make("input", { type: "checkbox", "data-number": mark.number });
        tick.checked = mark.erased;
        tick.addEventListener("change", redraw);
        const words = mark.words && mark.kind !== mark.words ? ` ${mark.words}` : "";
        return make("label", { class: "ls-mark-row", title: `sure: ${mark.sure}` }, tick, make("b", {}, `${mark.number}`), ` ${mark.kind}${words}`);
      });
      const none = found.again ? "Nothing was found in it then." : "No marks were found.";
      const go = button(found.again ? "Erase again so" : "Erase these", erase, { class: "ls-primary" });
      return make("section", { class: "ls-marks" }, make("h4", {}, found.again ? `Marks erased in ${found.source}` : "Marks"),
        ...(rows.length ? rows : [make("p", {}, none)]), make("div", { class: "ls-added" }), make("p", { class: "ls-hint" }, "Drag over the picture to add a box."), go);
    }

    const ticked = (mark) => side.querySelector(`[data-number="${mark.number}"]`).checked;

    function erase() {
      const left = found.marks.filter((mark) => !ticked(mark));
      const body = { name: found.name, without: left.map((mark) => mark.number), boxes };
      if (found.again) { // what was left the last time and is ticked now goes as a box
        const more = found.marks.filter((mark) => ticked(mark) && !mark.erased).map((mark) => mark.box);
        body.without = left.filter((mark) => mark.erased).map((mark) => mark.number);
        body.boxes = boxes.concat(more);
        if (!body.without.length && !body.boxes.length && !webui.checked) return tell("Untick a mark, tick another, or add a box first.", "warn");
        return go({ ...body, steps: ["again"] });
      }
      if (left.length === found.marks.length) {
        if (!boxes.length) return tell("Tick a mark or add a box first.", "warn");
        return go({ name: found.name, boxes, steps: ["erase mask"] });
      }
      return go({ ...body, steps: [`erase ${found.kinds.join(",")}`] });
    }

    // ---- the picture with its boxes

    function outline([left, top, right, bottom], kind, words) {
      const node = make("div", { class: `ls-found ${kind}` }, make("span", {}, words));
      Object.assign(node.style, {
        left: `${(100 * left) / found.width}%`, top: `${(100 * top) / found.height}%`,
        width: `${(100 * (right - left)) / found.width}%`, height: `${(100 * (bottom - top)) / found.height}%`,
      });
      return node;
    }

    function redraw() {
      if (!canvas.contains(picture)) return;
      const marked = found.marks.map((mark) => outline(mark.box, ticked(mark) ? "ls-gone" : "ls-stays", String(mark.number)));
      const before = found.boxes.map((one) => outline(one, "ls-gone", ""));
      canvas.replaceChildren(picture, ...marked, ...before, ...boxes.map((one) => outline(one, "ls-gone ls-own", "+")));
      side.querySelector(".ls-added").replaceChildren(...boxes.map((one, at) => make("span", { class: "ls-pair" }, `box ${one.join(", ")}`,
        button("×", () => { boxes.splice(at, 1); redraw(); }))));
    }

    function at(event) {
      const shown = picture.getBoundingClientRect();
      const spot = [((event.clientX - shown.left) * found.width) / shown.width, ((event.clientY - shown.top) * found.height) / shown.height];
      return [Math.min(Math.max(0, Math.round(spot[0])), found.width), Math.min(Math.max(0, Math.round(spot[1])), found.height)];
    }

    canvas.addEventListener("pointerdown", (event) => {
      if (event.button || !canvas.contains(picture)) return;
      event.preventDefault();
      drag = at(event);
      boxes.push([...drag, ...drag]);
      canvas.setPointerCapture(event.pointerId);
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!drag) return;
      const now = at(event);
      boxes[boxes.length - 1] = [Math.min(drag[0], now[0]), Math.min(drag[1], now[1]), Math.max(drag[0], now[0]), Math.max(drag[1], now[1])];
      redraw();
    });
    for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => {
      if (!drag) return;
      drag = null;
      const [left, top, right, bottom] = boxes[boxes.length - 1];
      if (right - left < LEAST || bottom - top < LEAST) boxes.pop();
      redraw();
    });

    // ---- ground and colours

    function ground() {
      const which = choice(GROUNDS, "background");
      return make("section", {}, make("h4", {}, "Background"), make("div", { class: "ls-pair" }, which, button("Change", () => go({ name: found.name, steps: [`background ${which.value}`] }))));
    }

    function colour() {
      const part = choice(PARTS, "what is recoloured");
      const old = make("input", { type: "color", value: "#808080", "aria-label": "its colour now" });
      const fresh = make("input", { type: "color", value: "#2050ff", "aria-label": "its new colour" });
      const named = make("input", { type: "checkbox", "aria-label": "its colour now is told" });
      const given = () => { named.disabled = ["one colour", "hair"].includes(part.value); if (named.disabled) named.checked = true; old.disabled = !named.checked; };
      part.addEventListener("change", () => { if (!["one colour", "hair"].includes(part.value)) named.checked = false; given(); });
      named.addEventListener("change", given);
      given();
      const recolour = () => {
        const words = ["recolour", part.value === "one colour" ? "" : part.value, named.checked ? old.value : "", fresh.value];
        go({ name: found.name, steps: [words.filter(Boolean).join(" ")] });
      };
      return make("section", {}, make("h4", {}, "Colour"), make("div", { class: "ls-pair" }, part),
        make("div", { class: "ls-pair" }, make("label", {}, named, " from "), old, " to ", fresh, button("Change", recolour)));
    }

    // ---- versions

    function versions() {
      const rows = found.versions.map((one) => {
        const first = !one.parent || one.parent.split(".").length === 1 && one.what === "part of the page";
        const words = make("div", { class: "ls-did", title: one.tags_gone.length ? `tags gone: ${one.tags_gone.join(", ")}` : "" },
          make("b", {}, one.name), ` ${one.what.replaceAll(",", ", ").replaceAll(",  ", ", ")}${one.standing ? " · in use" : ""}${one.verdict === "drop" ? " · taken back" : ""}`);
        if (first) return words;
        const back = one.verdict === "drop" ? button("keep", () => decide(one, "keep")) : button("take back", () => decide(one, "drop"));
        return make("div", {}, words, make("div", { class: "ls-pair ls-start" }, button("compare", () => compare(one)), back));
      });
      return make("section", { class: "ls-versions" }, make("h4", {}, "Versions"), ...rows.reverse());
    }

    async function decide(version, verdict) {
      if (await post("api/decide", { names: [version.name], verdict })) await again();
    }

    // Both lie over each other; the slider moves the border between them.
    function compare(version) {
      const before = found.versions.find((one) => one.name === version.parent);
      const [under, over] = [before || found.versions[0], version].map((one) => make("img", { src: one.large, alt: one.name, draggable: "false" }));
      const border = make("i", { class: "ls-border" });
      const slider = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "before and after", class: "ls-slider" });
      const move = () => { over.style.clipPath = `inset(0 0 0 ${slider.value}%)`; border.style.left = `${slider.value}%`; };
      slider.addEventListener("input", move);
      move();
      over.className = "ls-over";
      canvas.replaceChildren(under, over, border);
      easel.querySelectorAll(".ls-slider, .ls-back").forEach((one) => one.remove());
      const back = button("back to the marks", () => { slide.remove(); canvas.replaceChildren(picture); redraw(); });
      const slide = make("div", { class: "ls-slide ls-back" }, `before: ${before ? before.name : ""}`, slider, `after: ${version.name}`, back);
      easel.append(slide);
      slider.focus();
    }

    // ---- what is done

    async function again() {
      const fresh = await ask({ name: found.name });
      easel.querySelectorAll(".ls-back").forEach((one) => one.remove());
      if (fresh && box.isConnected) show(fresh);
      return fresh;
    }

    async function go(body) {
      const buttons = () => Array.from(side.querySelectorAll("button")).filter((one) => one.textContent !== "close");
      buttons().forEach((one) => { one.disabled = true; });
      told.textContent = "In the line …";
      const names = new Set(found.versions.map((one) => one.name));
      const done = await post("api/touch-up", { ...body, with: webui.checked ? "webui" : "" });
      const end = done && await ended(done.job, box);
      if (end && end.state === "done") {
        const fresh = await again();
        const made = fresh && fresh.versions.find((one) => one.standing && !names.has(one.name));
        told.textContent = made ? `${made.name} is in use now.` : "Nothing was changed. ";
        if (!made) told.append(make("a", { href: `api/log/${end.id}`, target: "_blank" }, "why"));
        if (made) compare(made);
      } else {
        told.textContent = end ? end.error || `It was ${end.state}.` : "";
        buttons().forEach((one) => { one.disabled = false; });
      }
    }

    show(found);
  }
})();

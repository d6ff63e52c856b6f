// A wall of pictures that are kept or dropped by clicks and keys, for the Prune and the Refine page.
(function () {
  "use strict";
  const { make, note } = window.lorasmith;
  const VERDICTS = { k: "keep", d: "drop", x: "drop" };

  // A picture as a button that opens it, or a sentence where its file cannot be shown.
  window.lorasmith.opener = function (one, alt) {
    const image = make("img", { src: one.src, loading: "lazy", decoding: "async", alt });
    image.addEventListener("error", () => image.replaceWith(make("span", { class: "ls-broken" }, "cannot be shown: is its file still there?")));
    return make("button", { type: "button", class: "ls-opener", tabindex: "-1", "aria-keyshortcuts": "K D Enter" }, image);
  };

  // The buttons below a picture; `pressed` is "keep" or "drop", and `words` what each is called.
  window.lorasmith.verdicts = function (name, pressed, words) {
    const buttons = ["keep", "drop"].map((one) => make("button", { type: "button", tabindex: "-1", "data-decide": one, "aria-pressed": String(pressed === one), "aria-label": `${words[one]} ${name}` }, words[one]));
    return make("div", { class: "ls-decide" }, ...buttons);
  };

  // Makes a wall of `grid`: `tile` draws a row as a figure, `decide` and `open` get a name. The figure that has the focus keeps it.
  window.lorasmith.tiles = function (grid, { tile, decide, open }) {
    const figures = () => [...grid.querySelectorAll("figure")];

    function focus(figure) {
      for (const one of figures()) one.firstElementChild.tabIndex = -1;
      figure.firstElementChild.tabIndex = 0;
      figure.firstElementChild.focus();
    }

    // What is drawn already and still the same stays; `none` is said where there is nothing.
    function draw(rows, none) {
      const held = grid.contains(document.activeElement) ? document.activeElement.closest("figure") : null;
      const at = held ? [...grid.children].indexOf(held) : -1;
      const old = new Map([...grid.children].map((one) => [one.dataset.name, one]));
      const nodes = rows.map((row) => {
        const key = JSON.stringify(row);
        const known = old.get(row.name);
        return known && known.lsDrawn === key ? known : Object.assign(tile(row), { lsDrawn: key });
      });
      if (!nodes.length) nodes.push(note(none));
      const same = nodes.length === grid.children.length && nodes.every((one, place) => one.dataset.name === grid.children[place].dataset.name);
      if (same) nodes.forEach((one, place) => { if (one !== grid.children[place]) grid.children[place].replaceWith(one); });
      else grid.replaceChildren(...nodes);
      const all = figures();
      const next = held && (all.find((one) => one.dataset.name === held.dataset.name) || all[Math.min(at, all.length - 1)]);
      if (next && !document.querySelector("[aria-modal=true]")) focus(next);
      else if (all.length && !all.some((one) => one.firstElementChild.tabIndex === 0)) all[0].firstElementChild.tabIndex = 0;
    }

    grid.addEventListener("click", (event) => {
      const figure = event.target.closest("figure");
      const verdict = event.target.closest("[data-decide]");
      if (!figure) return;
      event.stopPropagation();
      focus(figure);
      if (verdict) decide(figure.dataset.name, verdict.dataset.decide);
      else if (event.target.closest(".ls-opener")) open(figure.dataset.name);
    });

    grid.addEventListener("keydown", (event) => {
      const figure = event.target.closest("figure");
      if (!figure || event.ctrlKey || event.metaKey || event.altKey) return;
      const all = figures();
      const columns = getComputedStyle(grid).gridTemplateColumns.split(" ").length;
      const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns, Home: -all.length, End: all.length }[event.key];
      const verdict = VERDICTS[event.key.toLowerCase()];
      if (!step && !verdict) return;
      event.preventDefault();
      event.stopPropagation();
      focus(all[Math.min(Math.max(0, all.indexOf(figure) + (step || 1)), all.length - 1)]);
      if (verdict) decide(figure.dataset.name, verdict);
    });

    return { draw, focus: (name) => { const one = figures().find((each) => each.dataset.name === name); if (one) focus(one); return one; } };
  };
})();

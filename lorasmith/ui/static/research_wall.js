// The previews of the Research page: the best posts, each picture once, to keep or drop before anything big is fetched.
(function () {
  "use strict";
  const { make, button, note, many, post, large } = window.lorasmith;
  const R = window.lorasmith.research;
  const { get, drawers } = R;
  const SHOWS = { all: "all", wanted: "wanted", dropped: "dropped" };
  const STEPS = { ArrowLeft: -1, ArrowRight: 1 };
  let shell = null;
  let ask = { show: "all", page: 1 };
  let turn = 0;
  let page = null;

  drawers.wall = function (node, all) {
    if (!all.tiles) return node.replaceChildren(note(all.funnel.length ? "The last research fetched no previews: 'previews' is 0, or no post passes." : "Start research fetches small previews of the best posts."));
    if (!node.querySelector(".lsf-wall")) mount(node);
    load();
  };

  function mount(node) {
    shell = {
      shows: make("nav", { class: "ls-choices", "aria-label": "which previews" }), pager: make("nav", { class: "ls-pager", "aria-label": "pages" }),
      grid: make("div", { class: "ls-wall lsf-wall", role: "group", "aria-label": "previews: arrow keys move, K keeps, D drops, Enter opens" }),
      fault: make("div", {}),
    };
    shell.grid.addEventListener("click", clicked);
    shell.grid.addEventListener("keydown", pressed);
    node.replaceChildren(make("p", { class: "lsf-hint" }, "The best posts, each picture once. What you drop here is never fetched."), make("div", { class: "lsf-bar" }, shell.shows, shell.pager), shell.fault, shell.grid);
  }

  async function load(change) {
    ask = { ...ask, ...change };
    const mine = ++turn;
    const found = await get("wall", ask);
    if (mine !== turn) return;
    shell.fault.replaceChildren(...(found.error ? [note(found.error, "warn")] : []));
    if (found.lost) R.again();
    if (found.error) return;
    page = found;
    ask.page = found.page;
    draw();
  }

  function draw() {
    shell.shows.replaceChildren(...Object.entries(SHOWS).map(([name, label]) => button(`${label} (${many(page.counts[name])})`, () => load({ show: name, page: 1 }), { "aria-pressed": String(name === ask.show), class: name === ask.show ? "ls-chosen" : "" })));
    const go = (to, label, aria) => button(label, () => load({ page: to }), { "aria-label": aria, ...(to < 1 || to > page.pages ? { disabled: "" } : {}) });
    shell.pager.replaceChildren(...(page.pages > 1 ? [go(page.page - 1, "‹", "page before"), make("span", {}, `page ${page.page} of ${page.pages}`), go(page.page + 1, "›", "next page")] : []));
    const focused = shell.grid.contains(document.activeElement) ? document.activeElement.closest("figure") : null;
    const at = focused ? [...shell.grid.children].indexOf(focused) : -1;
    const least = R.found().scores.now;
    const old = new Map([...shell.grid.children].map((one) => [one.dataset.name, one]));
    const nodes = page.tiles.map((one) => {
      const drawn = JSON.stringify([one, one.score < least]);
      const known = old.get(one.name);
      return known && known.lsDrawn === drawn ? known : Object.assign(tile(one, least), { lsDrawn: drawn });
    });
    shell.grid.replaceChildren(...(nodes.length ? nodes : [note("No preview is meant by this choice.")]));
    const tiles = [...shell.grid.querySelectorAll("figure")];
    const next = focused && (tiles.find((one) => one.dataset.name === focused.dataset.name) || tiles[Math.min(at, tiles.length - 1)]);
    if (next) focus(next);
    else if (tiles.length) tiles[0].querySelector(".lsf-open").tabIndex = 0;
  }

  function tile(one, least) {
    const low = one.score < least;
    const told = one.verdict ? `${one.verdict === "drop" ? "dropped" : "kept"} by you` : "";
    const image = make("img", { src: one.src, loading: "lazy", decoding: "async", alt: `${one.name}, score ${one.score}${told ? `, ${told}` : ""}` });
    image.addEventListener("error", () => image.replaceWith(make("span", { class: "lsf-gone" }, "cannot be shown: is its file still there?")));
    const lines = [`score ${many(one.score)}, rating ${one.rating}`, `${one.width} x ${one.height}`, one.alike ? `${one.alike + 1} posts alike` : "", one.artists.length ? `by ${one.artists.join(", ").replaceAll("_", " ")}` : "", low ? "under the minimum score" : ""].filter(Boolean);
    const link = make("a", { href: one.page, target: "_blank", rel: "noreferrer noopener", tabindex: "-1" }, one.name);
    const verdicts = ["keep", "drop"].map((verdict) => make("button", { type: "button", tabindex: "-1", "data-say": verdict, "data-decide": verdict, "aria-pressed": String(one.verdict === verdict), "aria-label": `${verdict} ${one.name}` }, verdict));
    const open = make("button", { type: "button", class: "lsf-open", tabindex: "-1", "aria-keyshortcuts": "K D Enter" }, image);
    return make("figure", { class: `ls-tile lsf-tile${one.verdict === "drop" ? " ls-dropped" : ""}${low ? " lsf-low" : ""}`, "data-name": one.name },
      open, make("figcaption", {}, make("b", {}, link), ...lines.map((line) => make("span", {}, line))), make("div", { class: "ls-decide" }, ...verdicts));
  }

  function focus(figure) {
    for (const one of shell.grid.querySelectorAll(".lsf-open")) one.tabIndex = -1;
    const open = figure.querySelector(".lsf-open");
    open.tabIndex = 0;
    open.focus();
  }

  async function say(figure, verdict) {
    const name = figure.dataset.name;
    page.tiles = page.tiles.map((one) => (one.name === name ? { ...one, verdict } : one));
    draw();
    turn += 1; // an answer from before would take the mark away; the project's new version asks again
    const done = await post("api/decide", { names: [name], verdict });
    if (!done) load();
  }

  function clicked(event) {
    const figure = event.target.closest("figure");
    const verdict = event.target.closest("[data-say]");
    if (!figure || event.target.closest("a")) return;
    event.stopPropagation(); // the page's own clicks know keep and drop too
    event.preventDefault();
    focus(figure);
    if (verdict) say(figure, verdict.dataset.say);
    else if (event.target.closest(".lsf-open")) look(figure);
  }

  const look = (figure) => { const image = figure.querySelector("img"); if (image) large(image.src, image.alt); };

  function pressed(event) {
    const figure = event.target.closest("figure");
    if (!figure || event.ctrlKey || event.metaKey || event.altKey) return;
    const tiles = [...shell.grid.querySelectorAll("figure")];
    const at = tiles.indexOf(figure);
    const columns = getComputedStyle(shell.grid).gridTemplateColumns.split(" ").length;
    const verdict = { k: "keep", d: "drop", x: "drop" }[event.key.toLowerCase()];
    const step = { ...STEPS, ArrowUp: -columns, ArrowDown: columns, Home: -tiles.length, End: tiles.length }[event.key];
    if (verdict) { focus(tiles[Math.min(at + 1, tiles.length - 1)]); say(figure, verdict); }
    else if (step) focus(tiles[Math.min(Math.max(0, at + step), tiles.length - 1)]);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
})();

// The Prune page: pages of pictures with filters, keys and coverage that follows each keep and drop. `prune_asking.py` answers it.
(function () {
  "use strict";
  const { make, button, percent, shown, post, tell, project, opener, verdicts, tiles } = window.lorasmith;
  const PARTS = { toggle: "on and off", view: "views", framing: "framings", pose: "poses", expression: "expressions", background: "backgrounds", artist: "artists", style: "styles" };
  const ORDERS = { name: "name", score: "score", size: "size", sharpness: "sharpness", quality: "quality", "how sure": "how sure" };
  const BARS = 8; // of a part before "more"
  const FRESH = { show: "all", where: "", part: "", value: "", without: "", order: "name", down: "", page: 1 };
  let ask = { ...FRESH };
  let side = "pictures"; // or twins, best
  let root = null;
  let parts = {};
  let page = null; // the last answer
  let version = null;
  let turn = 0; // only the newest answer is drawn
  let chain = Promise.resolve(); // a person's words go one after the other
  let waiting = 0;
  let said = 0; // decisions of a person on this page
  let unfolded = {};

  const key = () => `ls-prune-${project()}`;

  const get = (what, words) => window.lorasmith.get(`api/prune/${what}`, words);

  // ---- what a person says

  // Marks at once, sends in order, and looks again when all is said; `body.names` or `body.kept` and `body.dropped`.
  function say(what, body) {
    const marks = what === "swap" ? [[[body.kept], "keep"], [body.dropped, "drop"]] : [[body.names, body.verdict]];
    for (const [names, verdict] of marks) mark(new Set(names), verdict);
    waiting += 1;
    const turnOf = chain.then(async () => {
      const done = await post(`api/prune/${what}`, body).catch(() => null);
      waiting -= 1;
      if (done && done.coverage) {
        drawCounts(done);
        drawCoverage(done.coverage);
      }
      if (!waiting || !done) await refresh();
      return done;
    });
    chain = turnOf.catch(() => null);
    return turnOf;
  }

  function mark(names, verdict) {
    said += 1;
    const change = { verdict, hand: true, reason: "", perhaps: false, sure: null, why: `You said ${verdict}.` };
    if (page && page.pictures) page.pictures = page.pictures.map((one) => (names.has(one.name) ? { ...one, ...change } : one));
    drawTiles();
    root.dispatchEvent(new CustomEvent("lsp-marked", { detail: { names, change } }));
  }

  function history(way) {
    const turnOf = chain.then(async () => {
      const done = await post("api/history", { way }).catch(() => null);
      if (done) tell(`${way}: ${done.what}`);
      await refresh();
      return done;
    });
    chain = turnOf.catch(() => null);
    return turnOf;
  }

  // ---- looking

  function change(what, keepPage) {
    ask = { ...ask, ...what };
    if (!keepPage) ask.page = 1;
    sessionStorage.setItem(key(), JSON.stringify({ ask, side }));
    return load();
  }

  function open(name) {
    side = name;
    sessionStorage.setItem(key(), JSON.stringify({ ask, side }));
    drawSide();
  }

  async function load() {
    const [mine, before] = [++turn, said];
    const found = await get("page", ask);
    if (mine !== turn || before !== said || !root) return; // an answer from before a decision would take its mark away
    parts.fault.hidden = !found.error;
    parts.fault.textContent = found.error || "";
    if (found.lost) version = null; // asked again as soon as the server answers
    if (found.error) return;
    page = found;
    ask.page = found.page;
    drawCounts(found);
    drawTiles();
    drawPager();
    prefetch(mine);
  }

  // The thumbnails of the next page are made while a person looks at this one.
  async function prefetch(mine) {
    await new Promise((go) => setTimeout(go, 600));
    if (mine !== turn || !page || page.page >= page.pages) return;
    const next = await get("page", { ...ask, page: page.page + 1 });
    if (mine !== turn || next.error) return;
    for (const one of next.pictures) {
      if (mine !== turn) return;
      const image = new Image();
      image.src = one.src;
      await image.decode().catch(() => null);
    }
  }

  async function refresh() {
    await load();
    const before = said;
    const cover = await get("coverage");
    if (!cover.error && before === said) drawCoverage(cover);
    if (root) root.dispatchEvent(new CustomEvent("lsp-fresh"));
    const twins = await get("families", { page: 1 });
    if (!twins.error && before === said && parts.twins) parts.twins.textContent = `Twins (${twins.total})`;
  }

  // ---- drawing

  function build(node) {
    root = node;
    page = null;
    try {
      ({ ask, side } = { ask: { ...FRESH }, side: "pictures", ...JSON.parse(sessionStorage.getItem(key()) || "{}") });
    } catch (error) {
      ask = { ...FRESH };
    }
    const twins = button("Twins", () => open("twins"));
    const tabs = make("nav", { class: "lsp-tabs", "aria-label": "what is shown" },
      button("Pictures", () => open("pictures")), twins, button("Choose the best …", () => open("best")));
    const where = make("input", { type: "search", placeholder: "filter by tags: back_view AND NOT sketch", "aria-label": "filter by tags", spellcheck: "false" });
    where.value = ask.where;
    where.addEventListener("change", () => change({ where: where.value }));
    where.addEventListener("search", () => { if (where.value !== ask.where) change({ where: where.value }); });
    const reason = make("select", { "aria-label": "reason" });
    reason.addEventListener("change", () => change({ show: reason.value || "all" }));
    const order = make("select", { "aria-label": "order" }, ...Object.entries(ORDERS).map(([value, label]) => make("option", { value }, `by ${label}`)));
    order.value = ask.order;
    order.addEventListener("change", () => change({ order: order.value }));
    const down = button(ask.down ? "↓" : "↑", () => change({ down: ask.down ? "" : "1" }).then(drawDown), { class: "lsp-down" });
    const drawDown = () => { down.textContent = ask.down ? "↓" : "↑"; down.setAttribute("aria-label", ask.down ? "greatest first; press for least first" : "least first; press for greatest first"); };
    parts = {
      tabs, twins, where, reason, order, drawDown,
      work: make("div", { class: "lsp-work", role: "status" }),
      shows: make("nav", { class: "lsp-shows", "aria-label": "which pictures" }),
      chip: make("span", { class: "lsp-chosen" }), hints: make("p", { class: "lsp-hint" }),
      fault: make("p", { class: "ls-note warn", role: "alert", hidden: "" }),
      grid: make("div", { class: "ls-wall lsp-grid", role: "group", "aria-label": "pictures: arrow keys move, K keeps, D drops, Enter opens" }),
      above: make("nav", { class: "lsp-pager" }), below: make("nav", { class: "lsp-pager" }),
      cover: make("aside", { class: "lsp-cover", "aria-label": "coverage of the kept pictures" }), other: make("div", { class: "lsp-other" }),
    };
    drawDown();
    parts.filters = make("div", { class: "lsp-filters" }, where, reason, order, down);
    parts.pictures = make("div", { class: "lsp-main" },
      make("div", {}, parts.shows, parts.filters, parts.chip, parts.fault, parts.hints, parts.above, parts.grid, parts.below), parts.cover);
    root.replaceChildren(tabs, parts.work, parts.pictures, parts.other);
    parts.wall = tiles(parts.grid, { tile, decide: (name, verdict) => say("decide", { names: [name], verdict }), open: (name) => window.lorasmith.prune.picture(name) });
    drawSide();
  }

  function drawSide() {
    [...parts.tabs.querySelectorAll("button")].slice(0, 3).forEach((one, at) => one.setAttribute("aria-pressed", String(["pictures", "twins", "best"][at] === side)));
    parts.pictures.hidden = side !== "pictures";
    parts.other.hidden = side === "pictures";
    if (side === "twins") window.lorasmith.prune.drawTwins(parts.other);
    if (side === "best") window.lorasmith.prune.drawBest(parts.other);
  }

  function drawCounts(found) {
    const names = { all: "all", kept: "kept", dropped: "dropped", perhaps: "perhaps", "by hand": "by hand" };
    const titles = { perhaps: "kept, though something was told against them that was not sure enough", "by hand": "what you said yourself" };
    parts.shows.replaceChildren(...Object.entries(names).map(([value, label]) =>
      button(`${label} (${found.counts[value]})`, () => change({ show: value }), { "aria-pressed": String(ask.show === value), title: titles[value] || "" })));
    const rows = found.reasons.map((row) => make("option", { value: row.reason }, `${row.verdict === "drop" ? "dropped: " : ""}${row.reason} (${row.pictures})`));
    parts.reason.replaceChildren(make("option", { value: "" }, "any reason"), ...rows);
    parts.reason.value = found.reasons.some((row) => row.reason === ask.show) ? ask.show : "";
    parts.order.value = ask.order;
    parts.drawDown();
    if (document.activeElement !== parts.where) parts.where.value = ask.where;
    const without = ask.without ? "without " : "";
    parts.chip.replaceChildren(...(ask.part ? [button(`${ask.part}: ${without}${shown(ask.value)} ×`, () => change({ part: "", value: "", without: "" }), { "aria-label": `no longer only ${ask.part} ${shown(ask.value)}` })] : []));
    parts.hints.textContent = (found.hints || []).join(" ");
  }

  function drawPager() {
    for (const bar of [parts.above, parts.below]) {
      const go = (to, label, aria) => button(label, () => change({ page: to }, true).then(() => bar === parts.below && parts.above.scrollIntoView({ block: "nearest" })), { "aria-label": aria, ...(to < 1 || to > page.pages || to === page.page ? { disabled: "" } : {}) });
      const first = (page.page - 1) * page.per_page + 1;
      const told = page.total ? `${first} to ${first + page.pictures.length - 1} of ${page.total}` : "";
      const number = make("input", { type: "number", min: "1", max: String(page.pages), value: String(page.page), "aria-label": "page" });
      number.addEventListener("change", () => change({ page: Number(number.value) || 1 }, true));
      bar.replaceChildren(...(page.pages > 1 ? [go(1, "«", "first page"), go(page.page - 1, "‹", "page before"), number, make("span", {}, `of ${page.pages}`), go(page.page + 1, "›", "next page"), go(page.pages, "»", "last page")] : []), make("span", { class: "lsp-told" }, told));
    }
  }

  function drawTiles() {
    if (page) parts.wall.draw(page.pictures, page.of ? "No picture is meant by these choices." : "No pictures yet: download some, or add your own.");
  }

  // A picture with its decision; `more` are lines below it.
  function tile(one, ...more) {
    const facts = [`${one.width} x ${one.height}`, one.score === null ? "" : `score ${one.score}`, one.sharpness === null ? "" : `sharp ${one.sharpness}`];
    const caption = make("figcaption", {}, make("b", {}, one.name), ...chip(one), make("span", {}, facts.filter(Boolean).join(" · ")), ...more);
    const kind = `ls-tile lsp-tile${one.verdict === "drop" ? " ls-dropped" : ""}`;
    return make("figure", { class: kind, "data-name": one.name, title: one.why }, opener(one, `${one.name}, ${told(one)}`), caption, verdicts(one.name, one.verdict, { keep: "keep", drop: "drop" }));
  }

  function told(one) {
    return `${one.verdict === "drop" ? "dropped" : "kept"}${one.hand ? " by you" : one.reason ? `, ${one.perhaps ? "perhaps " : ""}${one.reason}` : ""}`;
  }

  function chip(one) {
    if (one.hand) return [make("span", { class: "lsp-chip lsp-hand" }, `${one.verdict === "drop" ? "dropped" : "kept"} by you`)];
    if (!one.reason) return [];
    const sure = one.sure === null ? "" : ` ${percent(one.sure)}`;
    return [make("span", { class: `lsp-chip ${one.verdict === "drop" ? "lsp-against" : one.perhaps ? "lsp-perhaps" : "lsp-for"}` }, `${one.perhaps ? "perhaps " : ""}${one.reason}${sure}`)];
  }

  // ---- coverage

  function drawCoverage(cover) {
    const rows = {};
    for (const row of cover.rows) (rows[row.part] = rows[row.part] || []).push(row);
    const blocks = Object.entries(PARTS).filter(([part]) => rows[part]).map(([part, label]) => {
      const all = rows[part];
      const shown = unfolded[part] ? all : all.slice(0, BARS);
      const more = all.length > BARS ? [button(unfolded[part] ? "fewer" : `${all.length - BARS} more`, () => { unfolded[part] = !unfolded[part]; drawCoverage(cover); }, { class: "lsp-more" })] : [];
      return make("section", {}, make("h4", {}, label), ...shown.map(bar), ...more);
    });
    const advice = cover.advice.map((row) => {
      const few = row.query.show === "dropped" ? (row.pictures ? `${row.pictures} dropped to look at` : "none among the dropped") : `${row.pictures} kept, the weakest first`;
      return make("li", {}, button(make("span", {}, make("b", {}, `${row.part} ${shown(row.value)}: `), row.words, make("i", {}, few)), () => change({ ...FRESH, ...row.query }), { class: "lsp-advice" }));
    });
    const fold = make("details", { class: "lsp-advices" }, make("summary", {}, `What to add or drop (${advice.length})`), make("ul", {}, ...advice));
    const before = parts.cover.querySelector("details");
    fold.open = before ? before.open : false;
    const unmeasured = cover.unmeasured ? [make("p", { class: "lsp-hint" }, `${cover.unmeasured} pictures were not looked at yet: start prune.`)] : [];
    const top = parts.cover.scrollTop;
    const held = parts.cover.contains(document.activeElement) ? document.activeElement.dataset.bar : null;
    parts.cover.replaceChildren(make("h3", {}, `Coverage of ${cover.pictures} kept`), ...unmeasured, ...(advice.length ? [fold] : []), ...blocks);
    parts.cover.scrollTop = top;
    const again = held && [...parts.cover.querySelectorAll("[data-bar]")].find((one) => one.dataset.bar === held);
    if (again) again.focus();
  }

  function bar(row) {
    const state = row.share < row.least ? ["lsp-few", "too few"] : row.share > row.most ? ["lsp-many", "too many"] : ["", ""];
    const wanted = row.least ? `wanted ${percent(row.least)} to ${percent(row.most)}` : `wanted ${percent(row.most)} at the most`;
    const track = make("span", { class: "lsp-track" }, make("i", { class: "lsp-band" }), make("i", { class: "lsp-fill" }));
    const [band, fill] = track.children;
    band.style.left = `${100 * row.least}%`;
    band.style.width = `${100 * (row.most - row.least)}%`;
    fill.style.width = `${100 * row.share}%`;
    const label = `${row.part} ${shown(row.value)}: ${row.pictures} pictures, ${percent(row.share)}, ${wanted}${state[1] ? `, ${state[1]}` : ""}`;
    return button(make("span", { class: "lsp-row" }, make("span", { class: "lsp-value" }, shown(row.value)), track, make("span", { class: "lsp-count" }, `${row.pictures}${state[1] ? (row.share < row.least ? " ▾" : " ▴") : ""}`)),
      () => change({ ...FRESH, show: "kept", part: row.part, value: row.value }), { class: `lsp-bar ${state[0]}`, title: label, "aria-label": label, "data-bar": `${row.part}:${row.value}` });
  }

  // ---- keys

  // Says whether a key pressed now means undo or redo.
  function wayOf(event) {
    const letter = event.key.toLowerCase();
    if (event.ctrlKey || event.metaKey) return letter === "z" ? (event.shiftKey ? "redo" : "undo") : letter === "y" ? "redo" : "";
    return event.altKey ? "" : { u: "undo", r: "redo" }[letter] || "";
  }

  document.addEventListener("keydown", (event) => {
    if (!root || !root.isConnected || root.offsetParent === null || document.querySelector("[aria-modal=true]")) return;
    if (event.target.matches("input, textarea, select, [contenteditable]")) return;
    const way = wayOf(event);
    if (!way || (!event.ctrlKey && !event.metaKey && !root.contains(event.target) && event.target !== document.body)) return;
    event.preventDefault();
    history(way);
  });

  function drawWork(state) {
    const job = (state.jobs || []).find((one) => one.folder === state.folder && one.state === "running");
    if (!job) return parts.work.replaceChildren();
    const done = job.total ? Math.round((100 * job.done) / job.total) : 0;
    const line = make("progress", job.total ? { max: "100", value: String(done), "aria-label": `${job.command} is at work` } : {});
    parts.work.replaceChildren(line, make("span", {}, `${job.command} is at work${job.total ? `: ${job.done} of ${job.total}` : ""}. What you change by hand waits until it has ended.`));
  }

  document.addEventListener("ls-state", () => {
    const state = window.lorasmith.state();
    const node = document.querySelector('[data-ls-own="prune"]');
    if (!node || node.offsetParent === null || !state.version) return;
    if (node !== root) {
      build(node);
      version = null;
    }
    drawWork(state);
    if (state.version === version || waiting) return;
    version = state.version;
    refresh();
  });

  window.lorasmith.prune = {
    get, say, history, open, tile, chip, told, wayOf, change,
    ask: () => ({ ...ask }), root: () => root, fresh: FRESH,
  };
})();

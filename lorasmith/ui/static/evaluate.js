// The Evaluate page: what is recommended and why, grids by question, what to fix. `evaluate/asking.py` answers it.
(function () {
  "use strict";
  const { make, button, note, plural, percent, shown, post, tell, project, state } = window.lorasmith;
  const PARTS = { result: "Result", pictures: "Pictures", scores: "Scores", fix: "What to fix", beside: "Side by side" };
  const FRESH = { name: "", part: "result", kind: "", column: "", told: false, side: 132 };
  const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const drawers = {}; // part -> function(node, one, all); the other files add theirs
  let root = null;
  let look = { ...FRESH };
  let drawn = ""; // the state and the choice that are on the screen
  let turn = 0;
  let grid = null; // the last answer
  let gridTurn = 0;

  // ---- asking

  const get = (what, words) => window.lorasmith.get(`api/evaluate/${what}`, words);

  const two = (value) => (value === null || value === undefined ? "–" : Number(value).toFixed(2));
  const verdict = (word) => make("span", { class: `lse-verdict lse-${word || "none"}` }, word || "–");
  const keyOf = (one) => (one.epoch === null || one.epoch === undefined ? "base" : `e${one.epoch}-w${Number(one.weight)}`);

  async function copy(words, area) {
    try {
      await navigator.clipboard.writeText(words);
    } catch (error) { // no clipboard for pages that came without encryption: the old way
      if (area) { area.focus(); area.select(); }
      if (!area || !document.execCommand("copy")) return tell("The text could not be copied; mark it and press Ctrl-C.", "warn");
    }
    tell("Copied.");
  }

  // ---- the place, and when it is drawn anew

  function go(change) {
    look = { ...look, ...change };
    sessionStorage.setItem(`ls-evaluate-${project()}`, JSON.stringify(look));
    return refresh(true);
  }

  function mount(place) {
    root = place;
    drawn = "";
    try {
      look = { ...FRESH, ...JSON.parse(sessionStorage.getItem(`ls-evaluate-${project()}`) || "{}") };
    } catch (error) {
      look = { ...FRESH };
    }
    if (!(look.part in PARTS)) look.part = "result";
    const tabs = Object.entries(PARTS).map(([name, words]) => button(words, () => go({ part: name }), { "data-part": name, role: "tab" }));
    root.replaceChildren(make("div", { class: "lse-work", role: "status" }), make("div", { class: "lse-which" }), make("nav", { class: "lse-parts", role: "tablist", "aria-label": "parts of the Evaluate page" }, ...tabs), make("div", { class: "lse-part" }));
  }

  function work(now) {
    const job = (now.jobs || []).find((one) => one.folder === now.folder && one.state === "running");
    const node = root.querySelector(".lse-work");
    if (!job) return node.replaceChildren();
    const line = make("progress", job.total ? { max: String(job.total), value: String(job.done), "aria-label": `${job.command} is at work` } : { "aria-label": `${job.command} is at work` });
    const count = job.total ? `, ${job.done} of ${job.total}` : "";
    const after = job.command === "evaluate" ? " What it finds shows here when it has ended." : "";
    node.replaceChildren(line, make("span", {}, `${job.command} is at work: ${job.note || "loading"}${count}.${after}`));
  }

  async function refresh(now) {
    const place = document.querySelector('[data-ls-own="evaluate"]');
    if (!place || !project() || place.offsetParent === null || !(state() || {}).version) return;
    if (place !== root || !place.querySelector(".lse-parts")) mount(place);
    work(state());
    const last = (state().last || [])[0] || {};
    const wanted = JSON.stringify([state().version, last.id, last.state, look]);
    if (wanted === drawn && !now) return;
    drawn = wanted;
    const mine = ++turn;
    const all = await get("all");
    const one = all.error ? all : all.evaluations.some((each) => each.finished) ? await get("one", { name: known(all) }) : null;
    if (mine !== turn) return;
    if ((one || {}).lost) drawn = "";
    draw(all, one);
  }

  function known(all) {
    const names = all.evaluations.filter((one) => one.finished).map((one) => one.name);
    if (!names.includes(look.name)) look.name = "";
    return look.name;
  }

  function draw(all, one) {
    const node = root.querySelector(".lse-part");
    for (const tab of root.querySelectorAll(".lse-parts button")) tab.setAttribute("aria-selected", String(tab.dataset.part === look.part));
    const fixes = one && one.fixes ? one.fixes.length : 0;
    root.querySelector(".lse-parts [data-part=fix]").textContent = fixes ? `What to fix (${fixes})` : PARTS.fix;
    if (all.error) return only(node, [note(all.error, "warn")]);
    which(all, one);
    if (look.part === "beside") return drawers.beside(node, one, all);
    if (!one) return only(node, [nothing(all)]);
    if (one.error) return only(node, [note(one.error, "warn")]);
    const key = JSON.stringify([look.part, look.part === "pictures" ? [look, one.name, one.made, one.questions] : one]);
    if (node.dataset.drawn === key) return;
    node.dataset.drawn = key;
    drawers[look.part](node, one, all);
  }

  function only(node, inside) {
    node.dataset.drawn = "";
    node.replaceChildren(...inside);
  }

  function which(all, one) {
    const node = root.querySelector(".lse-which");
    const key = JSON.stringify([all.evaluations, look.name]);
    if (node.dataset.drawn === key) return;
    node.dataset.drawn = key;
    const rows = all.evaluations.map((each) => {
      const best = each.best ? `epoch ${each.best.epoch}, weight ${each.best.weight}: ${each.best.bake}` : "nothing could be judged";
      const words = each.damaged ? "its scores.json is damaged" : each.finished ? `run ${each.run}, ${day(each.made)}: ${best}` : "has not ended: start evaluate again to go on";
      return make("option", { value: each.name, ...(each.finished ? {} : { disabled: "" }) }, `${each.name}: ${words}`);
    });
    if (!rows.length) return node.replaceChildren();
    const choice = make("select", { id: "lse-which" }, ...rows);
    choice.value = one && one.name ? one.name : look.name;
    choice.addEventListener("change", () => go({ name: choice.value, column: "" }));
    node.replaceChildren(make("label", { for: "lse-which" }, "Evaluation"), choice);
  }

  const day = (moment) => (moment ? new Date(moment).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "");

  function nothing(all) {
    if (!all.runs) return make("div", {}, note("There is nothing to evaluate yet: no training has ended. Train first; its saved epochs are then rendered and judged here."), make("p", {}, button("To the Train page", null, { "data-go": "train" })));
    const begun = all.evaluations.length ? "An evaluation was begun and has not ended: start it again, and it goes on where it was." : `${plural(all.runs, "training")} ${all.runs === 1 ? "has" : "have"} ended. Start evaluate on the left: it renders the saved epochs at several weights and says which to use.`;
    return make("div", {}, note(begun), ...(all.tagger ? [] : [note("Renders are judged by a tagger, and none is set: choose one on the Tag page first.", "warn")]));
  }

  // ---- the result

  drawers.result = function (node, one) {
    const best = one.best;
    const title = best ? [`Epoch ${best.epoch}, weight ${best.weight} `, verdict(best.bake)] : ["Nothing could be ranked"];
    const picture = one.preview ? [button(make("img", { src: one.preview, alt: `a render of ${one.trigger} with the recommended LoRA` }), () => go({ part: "pictures", column: best ? keyOf(best) : "" }), { class: "lse-preview", title: "to its renders" })] : [];
    const facts = [one.run && `run ${one.run}`, one.lora, `on ${one.base_model}`, one.pictures ? `${one.pictures} pictures trained on` : "", `judged by ${one.tagger}`, day(one.made)];
    const report = one.report ? [make("a", { class: "lse-link", href: one.report, target: "_blank", rel: "noopener" }, "Full report")] : [];
    const own = one.lora_here ? [button("Copy the card's text", () => card(one)), button("Inspect the LoRA", null, { "data-inspect": one.lora })] : [];
    const send = one.lora_here && state().in_host ? [button("Send to txt2img", null, { "data-send": one.lora })] : [];
    const fix = one.fixes.length ? [button(`${plural(one.fixes.length, "thing")} to fix …`, () => go({ part: "fix" }), { class: "lse-primary" })] : [];
    const warn = [one.lora_here ? "" : `${one.lora || "The recommended LoRA"} is not in loras/ any more.`, one.unknown.length ? `The tagger does not know ${one.unknown.map(shown).join(", ")}, so ${one.unknown.length === 1 ? "it counts" : "they count"} for nothing here.` : ""].filter(Boolean);
    node.replaceChildren(
      make("section", { class: "lse-advice" }, ...picture, make("div", {}, make("h3", {}, ...title), make("p", {}, one.advice), make("p", { class: "lse-soft" }, one.rule), make("p", { class: "lse-soft" }, facts.filter(Boolean).join(" · ")), make("div", { class: "lse-tools" }, ...fix, ...own, ...send, ...report))),
      ...warn.map((words) => note(words, "warn")),
      ...(one.standings.length ? [make("section", {}, make("h4", {}, "How well each is baked"), matrix(one))] : []),
      ...(one.told.length ? [make("section", {}, make("h4", {}, "The recommended one, on seeds that chose nothing"), table(one))] : []),
      make("details", { class: "lse-card" }, make("summary", {}, "The card's text, to publish it with"), make("div", { class: "lse-card-text" })),
    );
    node.querySelector(".lse-card").addEventListener("toggle", (event) => event.target.open && card(one, true));
  };

  function matrix(one) {
    const epochs = [...new Set(one.standings.map((each) => each.epoch))].sort((a, b) => a - b);
    const weights = [...new Set(one.standings.map((each) => each.weight))].sort((a, b) => a - b);
    const at = new Map(one.standings.map((each) => [keyOf(each), each]));
    const chosen = one.best ? keyOf(one.best) : "";
    const rows = weights.map((weight) => make("tr", {}, make("th", { scope: "row" }, `weight ${weight}`), ...epochs.map((epoch) => {
      const each = at.get(keyOf({ epoch, weight }));
      if (!each) return make("td", {});
      const cell = button("", () => go({ part: "pictures", column: keyOf(each) }), { class: keyOf(each) === chosen ? "lse-stand lse-chosen" : "lse-stand", title: each.reason, "aria-label": `epoch ${epoch}, weight ${weight}: ${each.bake}. ${each.reason}${keyOf(each) === chosen ? ". Recommended" : ""}` });
      cell.append(verdict(each.bake), make("span", {}, each.likeness === null ? "" : `likeness ${two(each.likeness)}`), make("span", {}, each.kept === null ? "" : `follows ${percent(each.kept)}`), ...(keyOf(each) === chosen ? [make("b", {}, "recommended")] : []));
      return make("td", {}, cell);
    })));
    return make("div", { class: "lse-scroll" }, make("table", { class: "lse-matrix" }, make("thead", {}, make("tr", {}, make("td", {}), ...epochs.map((epoch) => make("th", { scope: "col" }, `epoch ${epoch}`)))), make("tbody", {}, ...rows)));
  }

  function table(one) {
    const cell = (value) => make("td", { class: "ls-number", title: value ? `${value.count} renders` : "" }, value ? `${two(value.mean)} ± ${two(value.deviation)}` : "–");
    const rows = one.told.map((row) => make("tr", {}, make("th", { scope: "row" }, row.what), cell(row.with), cell(row.without), make("td", { class: "ls-number" }, row.kept === null ? "" : percent(row.kept))));
    const heads = ["", "with the LoRA", "without it", "kept"].map((head, at) => make("th", { scope: "col", ...(at ? { class: "ls-number" } : {}) }, head));
    return make("div", { class: "ls-table" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...rows)));
  }

  async function card(one, only) {
    const place = root.querySelector(".lse-card-text");
    const found = await get("card", { name: one.name });
    if (!place || !place.isConnected) return; // another evaluation is shown by now
    if (found.error) return only ? place.replaceChildren(note(found.error, "warn")) : tell(found.error, "warn");
    const area = make("textarea", { readonly: "", rows: "14", "aria-label": "the card's text", spellcheck: "false" });
    area.value = found.text;
    const facts = found.facts.map(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]).flat();
    place.replaceChildren(make("div", { class: "lse-tools" }, button("Copy", () => copy(found.text, area))), area, ...(facts.length ? [make("h4", {}, "What WebUIs read beside it"), make("dl", {}, ...facts)] : []));
    if (!only) {
      root.querySelector(".lse-card").open = true;
      copy(found.text, area);
    }
  }

  // ---- what to fix

  drawers.fix = function (node, one) {
    if (!one.fixes.length) return node.replaceChildren(note("Nothing to fix was found: what is asked comes, and what is not asked stays away."));
    node.replaceChildren(...one.fixes.map((fix) => {
      const tiles = fix.tiles.map((each) => make("a", { href: each.large, "data-large": "", class: "lse-tile" }, make("img", { src: each.src, alt: each.name, loading: "lazy", title: each.name })));
      const some = fix.pictures > fix.tiles.length ? [make("p", { class: "lse-soft" }, `${fix.tiles.length} of ${fix.pictures} pictures shown here.`)] : [];
      const chosen = fix.names.length < fix.pictures ? `the first ${fix.names.length}` : fix.pictures === 1 ? "this picture" : `just these ${fix.pictures}`;
      const lead = fix.names.length ? [button(`Open ${chosen} in ${title(fix.stage)}`, () => choose(fix.stage, fix.names), { class: "lse-primary", "data-go": fix.stage })] : [button(`To the ${title(fix.stage)} page`, null, { "data-go": fix.stage })];
      const figures = fix.with === null ? "" : `${two(fix.with)} with the LoRA${fix.without === null ? "" : `, ${two(fix.without)} without`}`;
      return make("article", { class: "lse-fix" }, make("h4", {}, make("span", { class: "lse-kind" }, fix.kind), ` ${shown(fix.tag)}`, make("small", {}, figures)), make("p", {}, fix.words), make("div", { class: "lse-tiles" }, ...tiles), ...some, make("div", { class: "lse-tools" }, ...lead));
    }));
  };

  const title = (stage) => stage.charAt(0).toUpperCase() + stage.slice(1);

  // Has another page show just some pictures; the click then goes there.
  function choose(stage, names) {
    const where = names.map((name) => `name:"${name}"`).join(" | ");
    if (stage === "tag") window.lorasmith.tags.go({ part: "pictures", where });
    else if (stage === "prune") {
      sessionStorage.setItem(`ls-prune-${project()}`, JSON.stringify({ ask: { ...window.lorasmith.prune.fresh, where }, side: "pictures" }));
      if (window.lorasmith.prune.root()) {
        window.lorasmith.prune.open("pictures");
        window.lorasmith.prune.change({ ...window.lorasmith.prune.fresh, where });
      }
    } else window.lorasmith.turn(stage, { show: `only:${names.join(",")}`, page: 1 });
  }

  // ---- the grids

  drawers.pictures = async function (node, one) {
    const kinds = one.questions.map((each) => each.kind);
    if (!kinds.length) return node.replaceChildren(note("This evaluation has no renders to show."));
    if (!kinds.includes(look.kind)) look.kind = kinds[0];
    const mine = ++gridTurn;
    const found = await get("grid", { name: one.name, kind: look.kind });
    if (mine !== gridTurn || look.part !== "pictures") return; // another question was chosen meanwhile
    if (found.error) {
      node.dataset.drawn = "";
      return node.replaceChildren(note(found.error, "warn"));
    }
    grid = found;
    if (look.column && !grid.columns.some((each) => each.key === look.column)) look.column = "";
    const at = one.questions.find((each) => each.kind === look.kind);
    const choices = one.questions.map((each) => button(`${each.kind} (${each.prompts})`, () => go({ kind: each.kind }), { "aria-pressed": String(each.kind === look.kind), title: each.question }));
    const column = grid.columns.find((each) => each.key === look.column);
    const told = make("input", { type: "checkbox", id: "lse-told" });
    told.checked = look.told;
    told.addEventListener("change", () => go({ told: told.checked }));
    const side = make("input", { type: "range", min: "72", max: "320", step: "4", value: String(look.side), "aria-label": "size of the pictures" });
    side.addEventListener("input", () => { look.side = Number(side.value); node.style.setProperty("--lse-side", `${side.value}px`); });
    side.addEventListener("change", () => go({ side: Number(side.value) }));
    node.style.setProperty("--lse-side", `${look.side}px`);
    const held = root.contains(document.activeElement) ? document.activeElement.dataset.held : "";
    node.replaceChildren(
      make("nav", { class: "lse-kinds", "aria-label": "questions" }, ...choices),
      make("div", { class: "lse-tools" }, make("h3", {}, at.question), ...(column ? [button(`only ${column.title} ×`, () => go({ column: "" }), { "aria-label": `show all epochs and weights again, not only ${column.title}` })] : []),
        make("label", { for: "lse-told" }, told, " also the seeds that chose nothing"), make("label", { class: "lse-size" }, "size ", side)),
      drawGrid(),
    );
    const again = held && node.querySelector(`[data-held="${CSS.escape(held)}"]`);
    if (again) again.focus();
  };

  const rowsShown = () => grid.rows.filter((row) => look.told || !row.told);
  const columnsShown = () => grid.columns.filter((each) => !look.column || each.key === "base" || each.key === look.column);

  function drawGrid() {
    const columns = columnsShown();
    const rows = rowsShown();
    const head = columns.map((each) => make("th", { scope: "col", class: each.best ? "lse-best" : "" }, make("span", {}, each.title), ...(each.bake ? [verdict(each.bake)] : []), ...(each.best ? [make("small", {}, "recommended")] : [])));
    const body = rows.map((row, y) => {
      const first = y === 0 || rows[y - 1].prompt !== row.prompt || rows[y - 1].told !== row.told;
      const words = make("th", { scope: "row" }, ...(first ? [make("span", { class: "lse-prompt" }, row.prompt)] : []), make("small", {}, `seed ${row.seed}${row.told ? ", chose nothing" : ""}`));
      return make("tr", {}, words, ...columns.map((each, x) => make("td", { class: each.best ? "lse-best" : "" }, ...cell(row, each, x, y))));
    });
    const table = make("table", { class: "lse-grid", "aria-label": "renders: arrow keys move over the cells, Enter opens one" }, make("thead", {}, make("tr", {}, make("td", {}), ...head)), make("tbody", {}, ...body));
    table.addEventListener("keydown", moved);
    const first = table.querySelector(".lse-cell");
    if (first) first.tabIndex = 0;
    return rows.length ? make("div", { class: "lse-scroll lse-gridbox" }, table) : note("No render of this question is left.");
  }

  function cell(row, column, x, y) {
    const one = row.cells[column.key];
    if (!one) return [];
    const scores = [one.likeness === null ? "" : `likeness ${two(one.likeness)}`, one.followed === null ? "" : `followed ${percent(one.followed)}`].filter(Boolean);
    const words = `${row.prompt}, seed ${row.seed}, ${column.title}${scores.length ? `: ${scores.join(", ")}` : ""}`;
    const inside = one.src ? make("img", { src: one.src, alt: words, loading: "lazy", decoding: "async" }) : make("span", { class: "lse-gone" }, "its file has gone");
    if (one.src) inside.addEventListener("error", () => inside.replaceWith(make("span", { class: "lse-gone" }, "cannot be shown")));
    const open = button(inside, () => large(x, y), { class: "lse-cell", tabindex: "-1", "data-x": String(x), "data-y": String(y), "data-held": `${row.prompt}|${row.seed}|${column.key}`, "aria-label": words });
    return [open, make("span", { class: "lse-figures" }, scores.join(" · ") || " ", ...(one.copies ? [make("b", {}, " copy")] : []))];
  }

  const at = (x, y) => root.querySelector(`.lse-cell[data-x="${x}"][data-y="${y}"]`);

  function focus(one) {
    for (const each of root.querySelectorAll('.lse-cell[tabindex="0"]')) each.tabIndex = -1;
    one.tabIndex = 0;
    one.focus();
    one.scrollIntoView({ block: "nearest", inline: "nearest" });
  }

  // The next cell that has a render, in a direction; nothing at the edge.
  function next(x, y, [dx, dy]) {
    const [wide, high] = [columnsShown().length, rowsShown().length];
    for (let [a, b] = [x + dx, y + dy]; a >= 0 && b >= 0 && a < wide && b < high; a += dx, b += dy) {
      if (rowsShown()[b].cells[columnsShown()[a].key]) return [a, b];
    }
    return null;
  }

  function moved(event) {
    const one = event.target.closest(".lse-cell");
    if (!one || !(event.key in ARROWS) || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    const to = next(Number(one.dataset.x), Number(one.dataset.y), ARROWS[event.key]);
    if (to) focus(at(...to));
  }

  // ---- one render, large

  function large(x, y) {
    const mine = grid;
    const viewer = window.lorasmith.zoom({
      label: "one render",
      step: (dx, dy) => {
        const to = next(x, y, [dx, dy]);
        if (to) [x, y] = to;
        return Boolean(to);
      },
      look: () => facts(mine, rowsShown()[y], columnsShown()[x], () => viewer.again()),
      closed: () => { const one = at(x, y); if (one) focus(one); return one; },
    });
  }

  async function facts(mine, row, column, again) {
    const one = row.cells[column.key];
    const base = row.cells.base;
    const words = { name: one.name, title: column.title, alt: `${row.prompt}, seed ${row.seed}, ${column.title}`, other: "" };
    const found = await get("render", { name: mine.name, render: one.name });
    if (found.error) return { ...words, src: one.src, panel: [note(found.error, "warn")] };
    const line = (name, value) => (value === null || value === undefined || value === "" ? [] : [make("dt", {}, name), make("dd", {}, value)]);
    const bars = found.own.map(([tag, score]) => make("li", {}, make("span", {}, shown(tag)), make("i", { style: `--share:${score}` }), make("b", {}, two(score))));
    const near = found.nearest ? [make("figure", { class: "lse-near" }, make("img", { src: found.nearest.src, alt: `${found.nearest.name}, the training picture nearest to it` }), make("figcaption", {}, `${found.copies ? "nearly repeats" : "nearest to"} ${found.nearest.name}`))] : [];
    const bring = !found.lora ? [] : found.brought ? [make("p", {}, `It came back as ${found.brought}: `, button("to the Refine page", () => viewerGone(), { "data-go": "refine" }))] : found.newest ? [button("Bring it back as a candidate", async () => {
      if (await post("api/evaluate/bring", { name: mine.name, renders: [found.name] })) tell("It is in the line; the Refine page shows it in a moment.");
      again();
    })] : [];
    return {
      ...words, src: found.large, other: column.key !== "base" && base && base.src ? base.src.replace(/side=\d+/, "side=1024") : "",
      panel: [
        make("p", { class: "lse-words" }, found.prompt), make("div", { class: "lse-tools" }, button("Copy the prompt", () => copy(found.prompt))),
        make("dl", {}, ...line("seed", String(found.seed)), ...line("likeness", found.scores.likeness === null ? "" : two(found.scores.likeness)), ...line("asked", found.asked.map(shown).join(", ")), ...line("followed", found.scores.followed === null ? "" : percent(found.scores.followed)), ...line("LoRA", found.lora), ...line("weight", found.lora ? String(found.weight) : ""), ...Object.entries(found.drawn).flatMap(([name, value]) => line(name, String(value)))),
        ...(bars.length ? [make("h4", {}, "Own looks, as the tagger sees them"), make("ul", { class: "lse-bars" }, ...bars)] : []),
        ...(near.length ? [make("h4", {}, "Beside the training set"), ...near, make("p", { class: "lse-soft" }, `similarity ${two(found.scores.similarity)}${found.typical ? `; one training picture to the next ${two(found.typical)}` : ""}`)] : []),
        ...bring,
      ],
    };
  }

  function viewerGone() {
    const dialog = document.querySelector(".lsz");
    if (dialog) dialog.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
  }

  document.addEventListener("ls-state", () => refresh(false));
  window.lorasmith.evaluate = { get, go, two, verdict, keyOf, copy, drawers, look: () => ({ ...look }), again: () => { drawn = ""; return refresh(true); } };
})();

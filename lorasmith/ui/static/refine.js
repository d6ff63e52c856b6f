// The Refine page: renders that came back, to keep or refuse with a key; what the set lacks, and what is drawn for it.
(function () {
  "use strict";
  const { make, button, note, plural, percent, shown, post, tell, project, state, opener, verdicts, tiles } = window.lorasmith;
  const { two, copy } = window.lorasmith.evaluate;
  const FRESH = { show: "waiting", page: 1 };
  const SHOWS = { waiting: "waiting", kept: "kept", refused: "refused", all: "all" };
  let root = null;
  let parts = {};
  let ask = { ...FRESH };
  let page = null;
  let drawn = "";
  let turn = 0;
  let planTurn = 0;
  let chain = Promise.resolve(); // a person's words go one after the other
  let waiting = 0;

  const get = (what, words) => window.lorasmith.get(`api/refine/${what}`, words);

  // ---- the place

  function mount(place) {
    root = place;
    drawn = "";
    page = null;
    try {
      ask = { ...FRESH, ...JSON.parse(sessionStorage.getItem(`ls-refine-${project()}`) || "{}") };
    } catch (error) {
      ask = { ...FRESH };
    }
    parts = {
      work: make("div", { class: "lse-work", role: "status" }), shows: make("nav", { class: "lse-kinds", "aria-label": "which candidates" }),
      fault: make("div", {}), grid: make("div", { class: "ls-wall lsv-grid", role: "group", "aria-label": "candidates: arrow keys move, K keeps, D refuses, U takes back, Enter opens" }),
      pager: make("nav", { class: "ls-pager", "aria-label": "pages" }), set: make("section", {}), next: make("p", { class: "lse-soft" }),
    };
    root.replaceChildren(parts.work, make("div", { class: "lsv-main" }, make("div", {}, parts.shows, parts.next, parts.fault, parts.grid, parts.pager), make("aside", { class: "lsv-side" }, parts.set, drawing(), own())));
    parts.wall = tiles(parts.grid, { tile, decide: say, open: large });
  }

  async function refresh(now) {
    const place = document.querySelector('[data-ls-own="refine"]');
    if (!place || !project() || place.offsetParent === null || !(state() || {}).version) return;
    if (place !== root || !place.querySelector(".lsv-main")) mount(place);
    work(state());
    const wanted = JSON.stringify([state().version, ask]);
    if (!now && (wanted === drawn || waiting)) return;
    drawn = wanted;
    const mine = ++turn;
    const [found, set] = await Promise.all([get("page", ask), get("set")]);
    if (mine !== turn) return;
    if (found.lost || set.lost) drawn = "";
    const fault = found.error || set.error;
    parts.fault.replaceChildren(...(fault ? [note(fault, "warn")] : []));
    if (fault) return;
    page = found;
    ask.page = found.page;
    shows();
    draw();
    about(set);
    plan();
  }

  function change(what) {
    ask = { ...ask, page: 1, ...what };
    sessionStorage.setItem(`ls-refine-${project()}`, JSON.stringify(ask));
    return refresh(true);
  }

  function work(now) {
    const job = (now.jobs || []).find((one) => one.folder === now.folder && one.state === "running");
    if (!job) return parts.work.replaceChildren();
    const line = make("progress", { "aria-label": `${job.command} is at work`, ...(job.total ? { max: String(job.total), value: String(job.done) } : {}) });
    parts.work.replaceChildren(line, make("span", {}, `${job.command} is at work: ${job.note || "loading"}${job.total ? `, ${job.done} of ${job.total}` : ""}. What you decide by hand waits until it has ended.`));
  }

  // ---- candidates

  function shows() {
    parts.shows.replaceChildren(...Object.entries(SHOWS).map(([value, label]) => button(`${label} (${page.counts[value]})`, () => change({ show: value }), { "aria-pressed": String(ask.show === value) })), button("undo", () => history("undo"), { title: "U or Ctrl-Z" }));
    const kept = page.counts.kept;
    parts.next.replaceChildren(...(kept ? [`${plural(kept, "render")} kept: ${kept === 1 ? "it is" : "they are"} trained on in the next round, with captions once tag has run. `, button("To the Tag page", null, { "data-go": "tag" })] : page.counts.all ? ["What you keep is trained on in the next round; the rest stays out."] : []));
    const go = (to, label) => button(label, () => { change({ page: to }); parts.grid.scrollIntoView({ block: "start" }); }, to < 1 || to > page.pages ? { disabled: "" } : {});
    parts.pager.hidden = page.pages < 2;
    parts.pager.replaceChildren(go(page.page - 1, "‹ before"), make("span", {}, `page ${page.page} of ${page.pages}`), go(page.page + 1, "next ›"));
  }

  function draw() {
    parts.wall.draw(page.candidates, page.counts.all ? `No candidate is ${ask.show}.` : "No renders came back yet: draw candidates, or bring the evaluation's best back.");
  }

  const scoresOf = (one) => [one.scores.likeness === null || one.scores.likeness === undefined ? "" : `likeness ${two(one.scores.likeness)}`, one.scores.followed === null || one.scores.followed === undefined ? "" : `followed ${percent(one.scores.followed)}`].filter(Boolean);
  const descent = (one) => `${one.lora ? `${one.lora.replace(".safetensors", "")}${one.weight ? ` at ${one.weight}` : ""}` : "the base model alone"}, generation ${one.generation}`;

  function tile(one) {
    const pressed = { kept: "keep", refused: "drop" }[one.state];
    const words = make("figcaption", {}, make("b", {}, scoresOf(one).join(" · ") || "not judged"), make("span", { class: "lsv-prompt" }, one.prompt), make("span", {}, `seed ${one.seed} · ${descent(one)}`), ...(one.copies ? [make("span", { class: "lse-over" }, `nearly repeats ${one.copies}`)] : []));
    return make("figure", { class: `ls-tile lsv-tile${one.state === "refused" ? " ls-dropped" : ""}`, "data-name": one.name, title: one.prompt }, opener(one, `${one.name}, ${one.state}: ${one.prompt}`), words, verdicts(one.name, pressed, { keep: "keep", drop: "refuse" }));
  }

  // ---- what a person says

  function say(name, verdict) {
    if (page) page.candidates = page.candidates.map((one) => (one.name === name ? { ...one, state: verdict === "keep" ? "kept" : "refused" } : one));
    draw();
    turn += 1; // an answer from before would take the mark away
    waiting += 1;
    const mine = chain.then(async () => {
      const done = await post("api/decide", { names: [name], verdict }).catch(() => null);
      waiting -= 1;
      if (!waiting || !done) await refresh(true);
      return done;
    });
    chain = mine.catch(() => null);
    return mine;
  }

  function history(way) {
    chain = chain.then(async () => {
      const done = await post("api/history", { way }).catch(() => null);
      if (done) tell(`${way}: ${done.what}`);
      await refresh(true);
    }).catch(() => null);
    return chain;
  }

  document.addEventListener("keydown", (event) => {
    if (!root || !root.isConnected || root.offsetParent === null || document.querySelector("[aria-modal=true]") || event.target.matches("input, textarea, select")) return;
    const letter = event.key.toLowerCase();
    const far = event.ctrlKey || event.metaKey;
    const way = far ? (letter === "z" ? (event.shiftKey ? "redo" : "undo") : letter === "y" ? "redo" : "") : root.contains(event.target) ? { u: "undo", r: "redo" }[letter] : "";
    if (!way || event.altKey) return;
    event.preventDefault();
    history(way);
  });

  // ---- one candidate, large

  function large(name) {
    const among = page.candidates.map((one) => one.name);
    const known = new Map(page.candidates.map((one) => [one.name, one]));
    let at = among.indexOf(name);
    const here = () => ({ ...known.get(among[at]), ...((page.candidates || []).find((one) => one.name === among[at]) || {}) });
    const decide = (verdict) => {
      known.set(among[at], { ...here(), state: verdict === "keep" ? "kept" : "refused" });
      say(among[at], verdict);
      if (at < among.length - 1) at += 1;
      viewer.again();
    };
    const viewer = window.lorasmith.zoom({
      label: "one candidate",
      step: (dx, dy) => {
        const to = at + (dx || dy);
        if (to < 0 || to >= among.length) return false;
        at = to;
        return true;
      },
      look: async () => facts(here(), `${at + 1} of ${among.length}`, decide),
      keys: { k: () => decide("keep"), d: () => decide("drop"), x: () => decide("drop"), u: () => history("undo").then(() => viewer.again()) },
      closed: () => {
        const figure = parts.wall.focus(among[at]);
        return figure && figure.firstElementChild;
      },
    });
  }

  function facts(one, place, decide) {
    const line = (name, value) => (value === null || value === undefined || value === "" ? [] : [make("dt", {}, name), make("dd", {}, String(value))]);
    const bars = one.own.map(([tag, score]) => make("li", {}, make("span", {}, shown(tag)), make("i", { style: `--share:${score}` }), make("b", {}, two(score))));
    const near = one.nearest ? [make("h4", {}, "Beside the training set"), make("figure", { class: "lse-near" }, make("img", { src: one.nearest.src, alt: `${one.nearest.name}, the training picture nearest to it` }), make("figcaption", {}, `${one.copies ? "nearly repeats" : "nearest to"} ${one.nearest.name}`))] : [];
    return {
      name: one.name, title: one.name, src: one.large, alt: `${one.name}: ${one.prompt}`,
      panel: [
        make("div", { class: "lse-tools" }, button("Keep (K)", () => decide("keep"), { "aria-pressed": String(one.state === "kept") }), button("Refuse (D)", () => decide("drop"), { "aria-pressed": String(one.state === "refused") }), make("span", { class: "lse-soft" }, place)),
        make("p", { role: "status" }, { waiting: "Waits for your word.", kept: "Kept: it is trained on in the next round.", refused: "Refused: it stays out." }[one.state]),
        make("p", { class: "lse-words" }, one.prompt), make("div", { class: "lse-tools" }, button("Copy the prompt", () => copy(one.prompt))),
        make("dl", {}, ...line("seed", one.seed), ...line("likeness", one.scores.likeness === null || one.scores.likeness === undefined ? "" : two(one.scores.likeness)), ...line("asked", one.asked.map(shown).join(", ")), ...line("followed", one.scores.followed === null || one.scores.followed === undefined ? "" : percent(one.scores.followed)), ...line("size", `${one.width} x ${one.height}`)),
        make("h4", {}, "Lineage"), make("dl", {}, ...line("drawn by", one.lora || "the base model alone"), ...line("weight", one.weight), ...line("generation", `${one.generation}: ${one.generation === 1 ? "drawn by a model that learnt from hands' work" : `${one.generation} models between it and a hand`}`), ...line("out of", one.from)),
        ...(bars.length ? [make("h4", {}, "Own looks, as the tagger sees them"), make("ul", { class: "lse-bars" }, ...bars)] : []), ...near,
      ],
    };
  }

  // ---- the set, and what is drawn for it

  function about(set) {
    const lines = set.drawn ? [`${set.drawn} of ${plural(set.pictures, "picture")} in the set ${set.drawn === 1 ? "was" : "were"} drawn by a model (${percent(set.share)}; at most ${percent(set.max_share)}).`, ...set.generations.map(([generation, count]) => `${count} of generation ${generation} (at most ${set.max_generation}).`), ...set.loras.map(([lora, count]) => `${count} by ${lora}.`)] : [`None of the set's ${plural(set.pictures, "picture")} was drawn by a model.`];
    const key = JSON.stringify(set);
    if (parts.set.dataset.drawn === key) return;
    parts.set.dataset.drawn = key;
    parts.set.replaceChildren(make("h4", {}, "Lineage of the set"), ...lines.map((words) => make("p", {}, words)), ...set.faults.map((words) => note(words, "warn")));
    parts.best.disabled = parts.more.disabled = !set.evaluation;
    parts.best.title = set.evaluation ? `the likest ${set.top_n} of evaluation ${set.evaluation}, from likeness ${set.min_likeness}` : "evaluate first";
    parts.why.textContent = set.evaluation ? "" : set.runs ? "Start evaluate first: it recommends the LoRA that draws them." : "Train and evaluate first: a LoRA draws them.";
    const chosen = parts.lora.value;
    parts.lora.replaceChildren(...[["", "the recommended LoRA"], ["none", "the base model alone"], ...set.own.map((name) => [name, name])].map(([value, words]) => make("option", { value }, words)));
    parts.lora.value = set.own.includes(chosen) || chosen === "none" ? chosen : set.evaluation ? "" : "none";
    if (!parts.count.dataset.touched) parts.count.value = String(set.candidates || 8);
    if (!parts.ground.dataset.touched) parts.ground.value = set.ground;
  }

  function drawing() {
    parts.count = make("input", { type: "number", min: "1", max: "1000", id: "lsv-count", value: "8" });
    parts.ground = make("select", { id: "lsv-ground" }, ...["grey", "pink", "white", "any"].map((one) => make("option", { value: one }, one === "any" ? "any ground" : `on ${one}`)));
    parts.more = make("button", { type: "submit", class: "lse-primary" }, "Draw candidates");
    parts.best = button("Bring the evaluation's best back", () => start("best", {}));
    parts.why = make("p", { class: "lse-soft" });
    parts.lacks = make("div", {});
    const form = make("form", { class: "lse-tools" }, make("label", { for: "lsv-count" }, "How many"), parts.count, make("label", { for: "lsv-ground", class: "lsv-hidden" }, "ground"), parts.ground, parts.more);
    form.noValidate = true; // the server says what is wrong
    form.addEventListener("submit", (event) => { event.preventDefault(); start("candidates", { candidates: parts.count.value, ground: parts.ground.value }); });
    for (const one of [parts.count, parts.ground]) one.addEventListener("input", () => { one.dataset.touched = "yes"; plan(); });
    return make("section", {}, make("h4", {}, "Draw for what the set lacks"), form, parts.why, parts.best, parts.lacks);
  }

  async function plan() {
    const mine = ++planTurn;
    const found = await get("plan", { count: parts.count.value, ground: parts.ground.value });
    if (mine !== planTurn) return; // typed on meanwhile
    const key = JSON.stringify(found);
    if (parts.lacks.dataset.drawn === key) return;
    parts.lacks.dataset.drawn = key;
    if (found.error || found.why) return parts.lacks.replaceChildren(note(found.error || found.why, found.error ? "warn" : ""));
    const blocks = found.lacks.filter((group) => group.rows.length).map((group) => make("div", {}, make("h5", {}, group.title), make("ul", { class: "lse-bars" }, ...group.rows.map(([tag, share]) => make("li", {}, make("span", {}, shown(tag)), make("i", { style: `--share:${share}` }), make("b", {}, percent(share)))))));
    const open = parts.lacks.querySelector("details");
    const details = make("details", {}, make("summary", {}, `The ${plural(found.prompts.length, "prompt")} that would be drawn`), make("ol", {}, ...found.prompts.map((one) => make("li", {}, one.text))));
    details.open = Boolean(open && open.open);
    parts.lacks.replaceChildren(details, make("p", { class: "lse-soft" }, "How often the last training was shown each, the rarest first:"), ...blocks);
  }

  function own() {
    const prompts = make("textarea", { rows: "3", placeholder: "solo, running, forest", "aria-label": "own prompts, one a line", spellcheck: "false" });
    const seeds = make("input", { type: "text", value: "7", id: "lsv-seeds", spellcheck: "false" });
    parts.lora = make("select", { id: "lsv-lora" });
    const form = make("form", {}, prompts, make("div", { class: "lse-tools" }, make("label", { for: "lsv-seeds" }, "seeds"), seeds, make("label", { for: "lsv-lora" }, "drawn with"), parts.lora, make("button", { type: "submit" }, "Draw these")));
    form.addEventListener("submit", (event) => { event.preventDefault(); start("draw", { prompts: prompts.value, seeds: seeds.value, lora: parts.lora.value }); });
    return make("details", {}, make("summary", {}, "Own prompts"), form);
  }

  async function start(what, body) {
    const done = await post(`api/refine/${what}`, body);
    if (done) tell(`It is in the line as job ${done.job}; the candidates come here when it has ended.`);
  }

  document.addEventListener("ls-state", () => refresh(false));
})();

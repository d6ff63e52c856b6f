// The Download page: what would be fetched before it starts, how it goes, and what became of each post. `download/asking.py` answers it.
(function () {
  "use strict";
  const { make, button, note, many, plural, post } = window.lorasmith;
  const WORDS = { "to fetch": "to be fetched", fetched: "fetched", already: "here already", changed: "brought up to date", replaced: "replaced on the site, fetched anew", "left out": "left out", failed: "failed", "taken down": "taken down by the site" };
  let root = null;
  let parts = null;
  let version = null;
  let found = null;
  let turn = 0;
  let opened = null; // the list that is open: {of, outcome, reason, page}

  const bytes = (count) => (count >= 1e9 ? `${(count / 1e9).toFixed(1)} GB` : count >= 1e6 ? `${Math.round(count / 1e6)} MB` : `${Math.max(1, Math.round(count / 1e3))} KB`);
  const time = (seconds) => (seconds < 60 ? `${Math.max(1, seconds)} s` : seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`);

  const get = (what, words) => window.lorasmith.get(`api/download/${what}`, words);

  function build(node) {
    root = node;
    parts = { live: make("div", { class: "lsd-live" }), fault: make("div", {}), plan: make("section", { "aria-label": "what would be fetched" }), done: make("section", { "aria-label": "what became of each post" }) };
    root.replaceChildren(parts.live, parts.fault, parts.plan, parts.done);
    version = null;
    found = null;
    opened = null;
  }

  async function load() {
    const mine = ++turn;
    const answer = await get("all", {});
    if (mine !== turn) return;
    parts.fault.replaceChildren(...(answer.error ? [note(answer.error, "warn")] : []));
    if (answer.error) { version = answer.lost ? null : version; return; }
    found = answer;
    drawPlan();
    drawDone();
  }

  // ---- while it runs

  function drawLive(state) {
    const job = state.jobs.find((one) => one.folder === state.folder && (one.command === "download" || one.stage === "download"));
    const ask = root.querySelector(".lsd-ask");
    if (ask) ask.disabled = Boolean(job);
    if (!job) return parts.live.replaceChildren();
    const running = job.state === "running";
    const [name, ...rest] = String(job.note || "").split(", ");
    const words = !running ? "Waiting its turn." : job.total ? `${many(job.done)} of ${many(job.total)}` : job.note || "asking the site …";
    if (!parts.live.firstChild) {
      parts.live.replaceChildren(make("progress", {}), make("p", { class: "lsd-words" }), button("Stop", () => post("api/stop", { job: Number(parts.live.dataset.job) }), { class: "lsd-stop" }));
    }
    parts.live.dataset.job = job.id;
    const [bar, told, stop] = parts.live.children;
    if (job.total) { bar.max = job.total; bar.value = job.done; } else bar.removeAttribute("value");
    bar.setAttribute("aria-label", `download, ${words}`);
    const line = [words, ...(running && job.total ? [rest.join(", "), name] : [])].filter(Boolean).join(" · ");
    if (told.textContent !== line) told.textContent = line;
    stop.disabled = job.stopping;
    stop.textContent = job.stopping ? "stopping …" : "Stop";
  }

  // ---- before it starts

  function drawPlan() {
    const plan = found.plan;
    const state = JSON.stringify([plan, found.planned]);
    if (parts.plan.dataset.drawn === state) return;
    parts.plan.dataset.drawn = state;
    const ask = button(plan.query === undefined ? "What would be fetched?" : "Ask again", () => document.getElementById("ls-plan-download").click(), { class: "lsd-primary lsd-ask", title: "asks the site which posts pass, and fetches no file" });
    const head = make("div", { class: "lsd-head" }, make("h3", {}, "The plan"), ask);
    if (plan.query === undefined) return parts.plan.replaceChildren(head, make("p", { class: "lsd-hint" }, "Asks the site which posts pass the settings on the left: how many files, how many bytes, and how long they take at the polite rate. No file is fetched."));
    const stale = plan.current ? [] : [note("The settings have been changed since: ask again.", "warn")];
    const figures = [["files to fetch", many(plan.fetched)], ["together", plan.fetched ? `${bytes(plan.bytes)}${plan.unknown_sizes ? ` and ${plan.unknown_sizes} of unknown size` : ""}` : "nothing"], ["at the least, at the polite rate", plan.fetched ? time(plan.seconds) : "no time"], ["here already", many(plan.already)], ["left out", many(Object.values(plan.left_out).reduce((sum, one) => sum + one, 0))]];
    const cards = figures.map(([label, value]) => make("div", { class: "lsd-figure" }, make("b", {}, value), make("span", {}, label)));
    const refused = plan.refused ? [make("p", { class: "lsd-hint" }, `${plural(plan.refused, "post")} refused: they mark minors, and are counted only.`)] : [];
    const missing = plan.not_found.length ? [make("p", { class: "lsd-hint" }, `Named in your list and not found: ${plan.not_found.slice(0, 20).join(", ")}${plan.not_found.length > 20 ? ` and ${plan.not_found.length - 20} more` : ""}`)] : [];
    parts.plan.replaceChildren(head, ...stale, make("p", { class: "lsd-hint" }, "Search: ", make("code", {}, plan.query), `, ${plural(plan.found, "post")} looked at`), make("div", { class: "lsd-figures" }, ...cards), ...refused, ...missing, reasons("plan", found.planned));
  }

  // ---- afterwards

  function drawDone() {
    const state = JSON.stringify([found.done, found.became]);
    if (parts.done.dataset.drawn === state) return;
    parts.done.dataset.drawn = state;
    if (!found.became.length || !Object.keys(found.done).length) return parts.done.replaceChildren();
    const failed = (found.done.failed || []).length ? [note(`${plural(found.done.failed.length, "file")} could not be had: ${found.done.failed.slice(0, 3).join(" ")}${found.done.failed.length > 3 ? " …" : ""} Start download again tries them anew.`, "warn")] : [];
    const here = (found.done.refused_here || []).length ? [note(`These posts are refused by now and are never trained on; remove their files: ${found.done.refused_here.join(", ")}`, "warn")] : [];
    const refused = found.done.refused ? [make("p", { class: "lsd-hint" }, `${plural(found.done.refused, "post")} refused: they mark minors, and are counted only.`)] : [];
    parts.done.replaceChildren(make("h3", {}, "What became of each post"), ...failed, ...here, ...refused, reasons("done", found.became));
  }

  // Counts as buttons; each opens the list of its posts.
  function reasons(of, rows) {
    const list = make("div", { class: "lsd-list" });
    const buttons = rows.map(([outcome, reason, count]) => {
      const one = button(make("span", {}, make("b", {}, many(count)), ` ${WORDS[outcome] || outcome}${reason ? `: ${reason}` : ""}`), () => toggle(one, list, { of, outcome, reason, page: 1 }), { class: `lsd-reason lsd-${outcome.replace(/\W+/g, "-")}`, "aria-expanded": "false" });
      return one;
    });
    const again = opened && opened.of === of && rows.findIndex(([outcome, reason]) => outcome === opened.outcome && reason === opened.reason);
    if (typeof again === "number" && again >= 0) { buttons[again].setAttribute("aria-expanded", "true"); show(list, opened); }
    return make("div", {}, make("div", { class: "lsd-reasons" }, ...buttons), list);
  }

  function toggle(one, list, which) {
    const shut = one.getAttribute("aria-expanded") === "true";
    for (const other of one.parentNode.children) other.setAttribute("aria-expanded", "false");
    if (shut) { opened = null; return list.replaceChildren(); }
    one.setAttribute("aria-expanded", "true");
    show(list, which);
  }

  async function show(list, which) {
    opened = which;
    const answer = await get("posts", which);
    if (opened !== which) return;
    if (answer.error) return list.replaceChildren(note(answer.error, "warn"));
    const rows = answer.rows.map(([name, page, reason]) => make("li", {}, page ? make("a", { href: page, target: "_blank", rel: "noreferrer noopener" }, name) : name, reason && reason !== which.reason ? make("span", {}, ` ${reason}`) : ""));
    const go = (to, label, aria) => button(label, () => show(list, { ...which, page: to }), { "aria-label": aria, ...(to < 1 || to > answer.pages ? { disabled: "" } : {}) });
    const pager = answer.pages > 1 ? [make("nav", { class: "ls-pager" }, go(answer.page - 1, "‹", "page before"), make("span", {}, `page ${answer.page} of ${answer.pages}`), go(answer.page + 1, "›", "next page"))] : [];
    list.replaceChildren(...pager, make("ul", {}, ...rows));
  }

  document.addEventListener("ls-state", () => {
    const state = window.lorasmith.state();
    const node = document.querySelector('[data-ls-own="download"]');
    if (!node || node.offsetParent === null || !state.version) return;
    if (node !== root) build(node);
    drawLive(state);
    if (state.version === version) return;
    version = state.version;
    load();
  });
})();

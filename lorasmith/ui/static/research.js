// The Research page: the search, the funnel and the scores with a minimum to drag, previews, tags and info.md. `research/asking.py` answers it.
(function () {
  "use strict";
  const { make, button, note, many, plural, post, tell, project } = window.lorasmith;
  const PARTS = { funnel: "Funnel and scores", wall: "Previews", profile: "Tags and info.md" };
  const drawers = {}; // part -> function(node); the other files add theirs
  let root = null;
  let part = "funnel";
  let found = null; // the last answer to "all"
  let version = null;
  let turn = 0;
  let dragging = false;
  let adopt = () => null; // shows a minimum score that was written elsewhere, or taken back

  const key = () => `ls-research-${project()}`;

  const get = (what, words) => window.lorasmith.get(`api/research/${what}`, words);

  // ---- the page

  function build(node) {
    root = node;
    part = sessionStorage.getItem(key()) in PARTS ? sessionStorage.getItem(key()) : "funnel";
    const tabs = make("nav", { class: "lsf-tabs", "aria-label": "parts of the page" }, ...Object.entries(PARTS).map(([name, label]) => button(label, () => open(name), { "data-part": name })));
    root.replaceChildren(make("div", { class: "lsf-search" }), make("div", { class: "lsf-fault" }), tabs, ...Object.keys(PARTS).map((name) => make("div", { class: "lsf-part", "data-of": name })));
    version = null;
    found = null;
  }

  function open(name) {
    part = name;
    sessionStorage.setItem(key(), name);
    draw();
  }

  const place = (name) => root.querySelector(`[data-of="${name}"]`);

  async function load() {
    const mine = ++turn;
    const answer = await get("all", {});
    if (mine !== turn || !root) return;
    root.querySelector(".lsf-fault").replaceChildren(...(answer.error ? [note(answer.error, "warn")] : []));
    if (answer.error) { version = answer.lost ? null : version; return; }
    found = answer;
    draw();
  }

  function draw() {
    for (const one of root.querySelectorAll("[data-part]")) {
      one.setAttribute("aria-pressed", String(one.dataset.part === part));
      if (found && one.dataset.part === "wall") one.textContent = `${PARTS.wall}${found.tiles ? ` (${found.tiles})` : ""}`;
    }
    for (const name of Object.keys(PARTS)) place(name).hidden = name !== part;
    if (!found) return;
    drawers.search(root.querySelector(".lsf-search"), found);
    drawers[part](place(part), found);
  }

  // ---- the funnel and the scores

  drawers.funnel = function (node, all) {
    if (dragging) return;
    const state = JSON.stringify([all.funnel, { ...all.scores, now: 0 }, all.advice, all.looser, all.built, all.asked]);
    if (node.dataset.drawn === state) return node.firstChild && adopt(all.scores.now);
    node.dataset.drawn = state;
    if (!all.funnel.length) return node.replaceChildren(note("Start research asks the site what it has: how many posts, which scores, which tags. Nothing big is fetched yet."));
    const held = document.activeElement && document.activeElement.id;
    adopt = () => null;
    const other = all.asked && all.asked !== all.built ? [note(`These figures are of '${all.asked}'. The search is another now: start research again.`, "warn")] : [];
    const looser = all.looser.length ? [make("p", { class: "lsf-hint" }, "Looser searches: ", ...all.looser.flatMap(([query, count]) => [button(`${query}${count === null ? "" : ` (${many(count)})`}`, () => drawers.take(query), { class: "lsf-chip", title: "take this search" }), " "]))] : [];
    node.replaceChildren(...other, note(all.advice), ...looser, make("section", {}, make("h3", {}, "How many posts are left after each filter"), funnel(all)), scores(all.scores));
    const again = held && document.getElementById(held);
    if (again && node.contains(again)) again.focus();
  };

  function funnel(all) {
    const steps = [...(typeof all.count === "number" ? [["on the site", all.count]] : []), ...all.funnel];
    const most = Math.max(1, ...steps.map((step) => step[1]));
    const rows = steps.map(([name, left], at) => {
      const lost = at ? steps[at - 1][1] - left : 0;
      const fill = make("i", {});
      fill.style.width = `${(100 * left) / most}%`;
      return make("li", {}, make("span", { class: "lsf-step" }, at > 1 && !name.startsWith("one of") ? `after ${name}` : name), make("span", { class: "lsf-track" }, fill), make("span", { class: "lsf-left" }, many(left)), make("span", { class: "lsf-lost" }, lost > 0 ? `−${many(lost)}` : ""));
    });
    const refused = all.refused ? [make("p", { class: "lsf-hint" }, `${plural(all.refused, "post")} refused: they mark minors, and are counted only.`)] : [];
    return make("div", {}, make("ol", { class: "lsf-funnel" }, ...rows), ...refused);
  }

  const SVG = "http://www.w3.org/2000/svg";
  const WIDE = 760, HIGH = 190, LEFT = 36, RIGHT = 14, TOP = 26, BOTTOM = 24;

  function shape(tag, attributes, text) {
    const one = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) one.setAttribute(name, value);
    if (text !== undefined) one.textContent = text;
    return one;
  }

  // The columns are narrow where scores are low, so a place is found column by column.
  function scores(spread) {
    if (!spread.bins.length) return make("section", {}, make("h3", {}, "Scores"), note("No post passes the filters, so there are no scores to choose from."));
    const { bins, steps } = spread;
    const first = bins[0].start, last = bins[bins.length - 1].end;
    const each = (WIDE - LEFT - RIGHT) / bins.length;
    const most = Math.max(...bins.map((bin) => bin.posts));
    const clamp = (score) => Math.min(Math.max(Math.round(score), Math.min(first, 0)), last);
    const xOf = (score) => {
      const at = bins.findIndex((bin) => score < bin.end);
      if (score <= first) return LEFT;
      return at < 0 ? WIDE - RIGHT : LEFT + each * (at + (score - bins[at].start) / (bins[at].end - bins[at].start));
    };
    const scoreAt = (x) => {
      const at = Math.min(Math.max((x - LEFT) / each, 0), bins.length - 0.001);
      const bin = bins[Math.floor(at)];
      return bin.start + (at % 1) * (bin.end - bin.start);
    };
    const passing = (score) => { const step = steps.find(([value]) => value >= score); return step ? step[1] : 0; };

    const chart = shape("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, class: "lsf-chart", "aria-hidden": "true" });
    const bars = bins.map((bin, at) => {
      const high = bin.posts ? Math.max(2, ((HIGH - TOP - BOTTOM) * bin.posts) / most) : 0;
      const bar = shape("rect", { x: (LEFT + at * each + 0.5).toFixed(1), y: (HIGH - BOTTOM - high).toFixed(1), width: Math.max(1, each - 1).toFixed(1), height: high.toFixed(1), class: "lsf-bar" });
      bar.append(shape("title", {}, `${plural(bin.posts, "post")} with a score from ${bin.start} to ${bin.end - 1}`));
      return bar;
    });
    const axis = shape("line", { x1: LEFT, x2: WIDE - RIGHT, y1: HIGH - BOTTOM, y2: HIGH - BOTTOM, class: "lsf-axis" });
    const ticks = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => {
      const at = Math.min(bins.length - 1, Math.round(share * bins.length));
      const value = share === 1 ? last - 1 : bins[at].start;
      return shape("text", { x: LEFT + each * (share === 1 ? bins.length : at), y: HIGH - 7, "text-anchor": share === 1 ? "end" : share ? "middle" : "start" }, many(value));
    });
    const top = shape("text", { x: LEFT - 6, y: TOP + 8, "text-anchor": "end" }, many(most));
    const marks = [axis, ...ticks, top];
    if (spread.suggested !== null) {
      const x = xOf(spread.suggested);
      marks.push(shape("line", { x1: x, x2: x, y1: TOP - 6, y2: HIGH - BOTTOM, class: "lsf-suggested" }), shape("text", { x: x + (x > WIDE - 130 ? -4 : 4), y: TOP - 12, "text-anchor": x > WIDE - 130 ? "end" : "start" }, `suggested ${many(spread.suggested)}`));
    }
    const line = shape("line", { y1: TOP - 8, y2: HIGH - BOTTOM, class: "lsf-min" });
    const grip = shape("path", { class: "lsf-grip" });
    chart.append(...bars, ...marks, line, grip);

    const told = make("p", { class: "lsf-told", role: "status" });
    const exact = make("input", { type: "number", step: "1", id: "lsf-exact", value: String(spread.now) });
    const slider = make("div", { class: "lsf-slider", id: "lsf-slider", role: "slider", tabindex: "0", "aria-label": "minimum score; arrow keys move it", "aria-valuemin": String(Math.min(first, 0)), "aria-valuemax": String(last) }, chart);
    let now = spread.now;
    let kept = spread.now;
    let busy = 0;

    function show(score, typed) {
      now = score;
      const left = passing(score);
      const x = xOf(score);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      grip.setAttribute("d", `M${x - 7} ${HIGH - BOTTOM + 1} h14 v8 l-7 -8 l-7 8 z M${x - 6} ${TOP - 14} h12 v10 l-6 6 l-6 -6 z`);
      bars.forEach((bar, at) => bar.classList.toggle("lsf-out", bins[at].end - 1 < score));
      if (!typed) exact.value = String(score);
      slider.setAttribute("aria-valuenow", String(score));
      slider.setAttribute("aria-valuetext", `${score}: ${left} of ${spread.posts} posts pass`);
      const fits = left < spread.wanted ? `fewer than the ${spread.wanted} wanted` : left > spread.wanted_at_most ? `more than the ${spread.wanted_at_most} wanted at the most` : "as many as are wanted";
      const capped = spread.top_n && left > spread.top_n ? ` Download takes the best ${spread.top_n} of them (top n).` : "";
      told.replaceChildren(make("b", {}, `${many(left)} of ${plural(spread.posts, "post")} pass`), `: ${fits}.${capped}`);
      told.dataset.fits = left < spread.wanted ? "few" : left > spread.wanted_at_most ? "many" : "yes";
    }

    // Written when it is let go, one step of the history.
    async function keep() {
      if (now === kept) return;
      const before = kept;
      const value = kept = now;
      busy += 1;
      const done = await post("api/research/min-score", { value });
      busy -= 1;
      if (done) tell(`Download takes posts from score ${many(value)} on.`);
      else if (kept === value) { kept = before; show(before); }
    }

    adopt = (value) => {
      if (busy || document.activeElement === exact && exact.value !== String(kept)) return; // a person is at it
      spread.now = kept = value;
      show(value);
    };

    const xNow = (event) => { const box = chart.getBoundingClientRect(); return ((event.clientX - box.left) * WIDE) / box.width; };
    slider.addEventListener("pointerdown", (event) => {
      if (event.button) return;
      dragging = true;
      slider.setPointerCapture(event.pointerId);
      slider.focus();
      show(clamp(scoreAt(xNow(event))));
      event.preventDefault();
    });
    slider.addEventListener("pointermove", (event) => { if (dragging) show(clamp(scoreAt(xNow(event)))); });
    for (const end of ["pointerup", "pointercancel"]) slider.addEventListener(end, () => { if (dragging) { dragging = false; keep(); } });
    let later = 0;
    slider.addEventListener("keydown", (event) => {
      const page = Math.max(1, Math.round((last - first) / 20));
      const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: page, PageDown: -page }[event.key];
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      if (step !== undefined) show(clamp(now + step * (event.shiftKey ? 10 : 1)));
      else if (event.key === "Home") show(clamp(Math.min(first, 0)));
      else if (event.key === "End") show(last);
      else return;
      event.preventDefault();
      keepSoon(700); // a held key is one change
    });
    const keepSoon = (wait) => {
      if (!later) busy += 1;
      clearTimeout(later);
      later = setTimeout(() => { later = 0; busy -= 1; keep(); }, wait);
    };
    slider.addEventListener("blur", () => { if (later) keepSoon(0); });
    const typed = () => (/^-?\d{1,6}$/.test(exact.value.trim()) ? Number(exact.value) : null);
    exact.addEventListener("input", () => { if (typed() !== null) show(typed(), true); });
    exact.addEventListener("change", () => {
      if (typed() === null) { tell("A minimum score is a whole number.", "warn"); exact.value = String(kept); show(kept); } else keep();
    });
    const take = spread.suggested === null ? [] : [button(`Take ${many(spread.suggested)}`, () => { show(spread.suggested); keep(); }, { title: `leaves ${passing(spread.suggested)} posts` })];
    show(spread.now);
    return make("section", {}, make("h3", {}, "Scores of the posts that pass: drag the minimum"), make("div", { class: "lsf-min-line" }, make("label", { for: "lsf-exact" }, "Minimum score"), exact, ...take, told), slider);
  }

  document.addEventListener("ls-state", () => {
    const state = window.lorasmith.state();
    const node = document.querySelector('[data-ls-own="research"]');
    if (!node || node.offsetParent === null || !state.version) return;
    if (node !== root) build(node);
    if (state.version === version || dragging) return;
    version = state.version;
    load();
  });

  window.lorasmith.research = { get, drawers, open, load, again: () => { version = null; }, root: () => root, found: () => found };
})();

// The Queue page: all jobs of all projects; what waits is dragged or moved by keys, held, let go, cancelled; what ended is seen with its log.
(function () {
  "use strict";
  const { make, button, post, tell, state } = window.lorasmith;
  const WORDS = { running: "at work", waiting: "waits", held: "held", pausing: "stopping, then held", stopping: "stopping", done: "done", failed: "failed", stopped: "stopped" };
  let shell = null;
  let drawn = "";
  let busy = false;
  let dragged = null; // number of the job under the hand
  let sending = false; // a move is on its way

  const ask = (what, words) => window.lorasmith.get(`api/queue/${what}`, words);

  async function send(what, body) {
    const done = await post(`api/queue/${what}`, body);
    drawn = "";
    await refresh();
    return done;
  }

  function lasting(seconds) {
    if (seconds === null) return "";
    if (seconds < 90) return `${Math.round(seconds)} s`;
    const minutes = Math.round(seconds / 60);
    return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  function when(text) {
    if (!text) return "";
    const time = new Date(text);
    const today = time.toDateString() === new Date().toDateString();
    return time.toLocaleString(undefined, today ? { hour: "2-digit", minute: "2-digit" } : { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" });
  }

  // ---- the place

  document.addEventListener("ls-state", () => refresh());
  setInterval(() => { if (!document.hidden && shell && shell.offsetParent && !state()) refresh(); }, 2000);

  function mount(place) {
    shell = place;
    drawn = "";
    place.replaceChildren(
      make("div", { class: "lsq-head" }), make("p", { class: "lsq-fault", role: "alert", hidden: "" }),
      make("section", {}, make("h3", {}, "At work and waiting"), make("p", { class: "lsq-soft lsq-help" }, "Drag what waits to its place, or choose it and press Alt with an arrow key (Alt+Home: first, Alt+End: last)."), make("ol", { class: "lsq-line", "aria-label": "the line" }), make("p", { class: "lsq-hidden", role: "status" })),
      make("details", { class: "lsq-add" }, make("summary", {}, "Put jobs into the line, or a sweep …"), make("div", {})),
      make("section", {}, make("h3", {}, "Ended"), make("div", { class: "lsq-ended" })),
    );
    const add = place.querySelector(".lsq-add");
    add.addEventListener("toggle", () => { if (add.open) window.lorasmith.queue.adding(add.querySelector("div")); });
    const line = place.querySelector(".lsq-line");
    line.addEventListener("keydown", keyed);
    line.addEventListener("dragstart", (event) => pick(event));
    line.addEventListener("dragover", over);
    line.addEventListener("drop", dropped);
    line.addEventListener("dragend", () => { dragged = null; clear(); });
  }

  async function refresh() {
    const place = document.querySelector('[data-ls-own="queue"]');
    if (!place || place.offsetParent === null || busy || dragged !== null) return;
    if (shell !== place || !place.querySelector(".lsq-line")) mount(place);
    busy = true;
    try {
      const found = await ask("list");
      if (dragged !== null) return; // it was taken up meanwhile
      const fault = shell.querySelector(".lsq-fault");
      fault.hidden = !found.error;
      fault.textContent = found.error || "";
      if (!found.error) draw(found);
    } finally {
      busy = false;
    }
  }

  function draw(found) {
    const still = JSON.stringify([found.paused, found.open.map((one) => ({ ...one, seconds: 0, left: 0, done: 0, note: "" })), found.ended]);
    if (still === drawn) return void found.open.forEach(progress);
    drawn = still;
    const focus = kept();
    head(found);
    shell.querySelector(".lsq-line").replaceChildren(...found.open.map((one) => row(one)));
    if (!found.open.length) shell.querySelector(".lsq-line").append(make("li", { class: "ls-note lsq-none" }, "Nothing is at work and nothing waits. Start buttons of the other pages put jobs here."));
    found.open.forEach(progress);
    shell.querySelector(".lsq-help").hidden = found.open.filter((one) => movable(one)).length < 2;
    ended(found.ended);
    focused(focus);
  }

  // What has the focus keeps it, though it is drawn anew.
  function kept() {
    const at = document.activeElement;
    const item = at && at.closest && at.closest("[data-job]");
    if (!item || !shell.contains(item)) return at && at.dataset && shell.contains(at) ? { act: at.dataset.act } : null;
    return { job: item.dataset.job, act: at.dataset.act || "" };
  }

  function focused(was) {
    if (!was) return;
    const item = was.job ? shell.querySelector(`[data-job="${was.job}"]`) : shell;
    const one = item && ((was.act && item.querySelector(`[data-act="${was.act}"]:not(:disabled)`)) || (was.job ? item : null));
    if (one) one.focus({ preventScroll: true });
  }

  function head(found) {
    const at = found.open.filter((one) => !["waiting", "held"].includes(one.state)).length;
    const count = `${at} at work, ${found.open.length - at} waiting`;
    const parts = found.paused
      ? [make("span", { class: "lsq-paused" }, "The queue is paused: nothing starts."), button("Let it go on", () => send("go-on", {}), { "data-act": "go-on", class: "lsq-primary" })]
      : [make("span", {}, count), button("Pause the queue", () => send("pause", { finish: false }), { "data-act": "pause", title: "what is at work stops at its last saved state and waits for its next turn" }), button("Pause after this one", () => send("pause", { finish: true }), { "data-act": "pause-after", title: "what is at work comes to its end, and nothing starts after it" })];
    shell.querySelector(".lsq-head").replaceChildren(...parts);
  }

  const movable = (one) => one.state === "waiting" || one.state === "held";

  function row(one) {
    const open = one.open ? make("a", { href: "#", "data-open": one.open, title: `${one.folder}: opens this project` }, one.project) : make("span", { title: one.folder }, one.project);
    const name = make("div", { class: "lsq-name" }, open, make("b", {}, one.job), make("span", { class: `lsq-state lsq-${one.state}` }, WORDS[one.state] || one.state));
    const told = make("div", { class: "lsq-told" });
    const li = make("li", { "data-job": one.id, class: `lsq-row lsq-is-${one.state}`, tabindex: "0", ...(movable(one) ? { draggable: "true", "aria-roledescription": "movable job" } : {}), "aria-label": `job ${one.id}: ${one.project}, ${one.job}, ${WORDS[one.state] || one.state}` },
      make("span", { class: "lsq-grip", "aria-hidden": "true", title: movable(one) ? "drag" : "" }, movable(one) ? "⠿" : ""), make("span", { class: "lsq-number" }, String(one.id)), make("div", { class: "lsq-what" }, name, told), make("div", { class: "lsq-acts" }, ...acts(one)));
    return li;
  }

  function acts(one) {
    const gone = one.state === "stopping" || one.state === "pausing";
    const act = (name, words, title, what) => button(words, what, { "data-act": name, title, "aria-label": `${words} job ${one.id}` });
    const moves = movable(one) ? [act("up", "↑", "one place up (Alt+↑)", () => move(one.id, -1)), act("down", "↓", "one place down (Alt+↓)", () => move(one.id, 1))] : [];
    const hold = one.state === "held" ? act("hold", "Let go", "lets it have its turn again", () => send("resume", { job: one.id })) : act("hold", one.state === "running" ? "Pause" : "Hold", one.state === "running" ? "stops it at its last saved state; it keeps its place" : "it stays in the line, and does not start", () => send("hold", { job: one.id }));
    const cancel = act("cancel", "Cancel", "takes it out of the line; what it saved stays", () => send("cancel", { job: one.id }));
    for (const each of [hold, cancel]) each.disabled = gone;
    const log = one.started ? [make("a", { href: `api/log/${one.id}`, target: "_blank", "data-act": "log", "aria-label": `log of job ${one.id}` }, "log")] : [];
    return [...moves, hold, cancel, ...log];
  }

  // What changes each second is written into the row that is there.
  function progress(one) {
    const node = shell.querySelector(`.lsq-row[data-job="${one.id}"] .lsq-told`);
    if (!node) return;
    const running = ["running", "pausing", "stopping"].includes(one.state);
    const count = one.total ? `${one.done.toLocaleString("en")} of ${one.total.toLocaleString("en")}` : "";
    const words = running ? [[one.stage, count].filter(Boolean).join(" "), one.note, one.seconds === null ? "" : `${lasting(one.seconds)} so far`, one.left === null ? "" : `about ${lasting(one.left)} left`].filter(Boolean).join(" · ") : [`since ${when(one.made)}`, one.tries ? `${one.tries} turn${one.tries === 1 ? "" : "s"} taken` : "", one.told].filter(Boolean).join(" · ");
    let bar = node.querySelector("progress");
    if (running && !bar) {
      bar = make("progress", { max: "1", "aria-label": `how far job ${one.id} is` });
      node.replaceChildren(bar, make("span", {}));
    } else if (!running && (bar || !node.firstChild)) node.replaceChildren(make("span", {}));
    if (running && one.total) bar.value = one.done / one.total;
    else if (running) bar.removeAttribute("value");
    node.lastChild.textContent = words;
  }

  // ---- what ended

  function ended(jobs) {
    const place = shell.querySelector(".lsq-ended");
    if (!jobs.length) return void place.replaceChildren(make("p", { class: "lsq-soft" }, "Nothing has ended yet."));
    const rows = jobs.map((one) => {
      const open = one.open ? make("a", { href: "#", "data-open": one.open, title: one.folder }, one.project) : make("span", { title: one.folder }, one.project);
      const more = [make("a", { href: `api/log/${one.id}`, target: "_blank", "aria-label": `log of job ${one.id}` }, "log"), button("Again", () => send("again", { job: one.id }).then((done) => done && tell(`It is in the line as job ${done.job}.`)), { "data-act": "again", "aria-label": `put job ${one.id} into the line again`, title: "puts the same into the line once more; a training goes on from its last state" })];
      return make("tr", { "data-job": one.id }, make("td", { class: "ls-number" }, String(one.id)), make("td", {}, open), make("td", { title: one.command }, one.job), make("td", {}, make("span", { class: `lsq-state lsq-${one.state}` }, WORDS[one.state] || one.state)), make("td", { class: "lsq-end" }, when(one.ended)), make("td", { class: "lsq-end" }, lasting(one.seconds)), make("td", { class: "lsq-words" }, one.told), make("td", {}, make("span", { class: "lsq-acts" }, ...more)));
    });
    const heads = ["job", "project", "what", "end", "when", "took", "what it left or said", ""];
    place.replaceChildren(make("div", { class: "ls-table", tabindex: "0", role: "region", "aria-label": "jobs that ended" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((words) => make("th", { scope: "col" }, words)))), make("tbody", {}, ...rows))));
  }

  // ---- order: by hand and by keys

  const waiting = () => Array.from(shell.querySelectorAll('.lsq-row[draggable="true"]'));

  function keyed(event) {
    const item = event.target.closest(".lsq-row");
    if (!item) return;
    if (!event.altKey) {
      const step = event.target === item ? { ArrowDown: item.nextElementSibling, ArrowUp: item.previousElementSibling }[event.key] : null;
      if (step && step.matches(".lsq-row")) { event.preventDefault(); step.focus(); }
      return;
    }
    const id = Number(item.dataset.job);
    const act = { ArrowUp: () => move(id, -1), ArrowDown: () => move(id, 1), Home: () => put(id, "first"), End: () => put(id, "last") }[event.key];
    if (!act || !item.draggable) return;
    event.preventDefault();
    act();
  }

  function move(id, step) {
    const line = waiting();
    const at = line.findIndex((one) => Number(one.dataset.job) === id);
    if (at < 0 || at + step < 0 || at + step >= line.length) return undefined;
    return put(id, String(at + step + 1));
  }

  async function put(id, to) {
    if (sending) return;
    sending = true;
    try {
      const done = await send("move", { job: id, to });
      const at = waiting().findIndex((one) => Number(one.dataset.job) === id) + 1;
      if (done) shell.querySelector(".lsq-hidden").textContent = `Job ${id} is at place ${at} of ${waiting().length} that wait.`;
    } finally {
      sending = false;
    }
  }

  function pick(event) {
    const item = event.target.closest && event.target.closest('.lsq-row[draggable="true"]');
    if (!item) return;
    dragged = Number(item.dataset.job);
    event.dataTransfer.effectAllowed = "move";
    event.dataTransfer.setData("text/plain", item.dataset.job);
    item.classList.add("lsq-dragged");
  }

  function clear() {
    for (const one of shell.querySelectorAll(".lsq-dragged, .lsq-above, .lsq-below")) one.classList.remove("lsq-dragged", "lsq-above", "lsq-below");
  }

  // Says where it would go: before which of those that wait.
  function aim(event) {
    const line = waiting().filter((one) => Number(one.dataset.job) !== dragged);
    const before = line.findIndex((one) => { const box = one.getBoundingClientRect(); return event.clientY < box.top + box.height / 2; });
    return { line, at: before < 0 ? line.length : before };
  }

  function over(event) {
    if (dragged === null) return;
    event.preventDefault();
    const { line, at } = aim(event);
    for (const one of line) one.classList.remove("lsq-above", "lsq-below");
    if (at < line.length) line[at].classList.add("lsq-above");
    else if (line.length) line[line.length - 1].classList.add("lsq-below");
  }

  function dropped(event) {
    if (dragged === null) return;
    event.preventDefault();
    const [id, { at }] = [dragged, aim(event)];
    dragged = null;
    clear();
    put(id, String(at + 1));
  }

  window.lorasmith.queue = { ask, send, refresh };
})();

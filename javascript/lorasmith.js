/* The tab "LoRA Smith": asks the host's routes how things stand, and shows the set-up page, a wait, or the frame. */
(function () {
  "use strict";

  const TICK = 400; // ms between two looks at whether the tab is on view
  const QUICK = 700, CALM = 4000; // ms between two questions: while something changes, while all runs
  const LONGEST_LOG = 3000; // lines kept in the page

  let opened = false; // the tab has been on view once
  let busy = false; // a question is under way
  let askAt = 0;
  let last = null; // the newest status
  let refused = false; // the token is of an earlier start of the host
  let framePid = null;
  let logs = { child: { after: 0, lines: [] }, setup: { after: 0, lines: [] } };
  let logOpen = false;
  let said = {}; // what stands in each part, so that nothing is written twice

  const app = () => (typeof gradioApp === "function" ? gradioApp() : document);
  const root = () => app().querySelector("#lorasmith_root");
  const part = (name) => root()?.querySelector(`[data-ls="${name}"]`);
  const button = (name) => root()?.querySelector(`[data-ls-do="${name}"]`);
  const frame = () => root()?.querySelector("iframe");
  const onView = () => !document.hidden && (root()?.getClientRects().length ?? 0) > 0;
  const isDark = () => document.body.classList.contains("dark") || !!app().querySelector?.(":scope > .dark, .gradio-container.dark");

  function say(name, text) {
    const element = part(name);
    if (element && element.textContent !== text) element.textContent = text;
  }
  function show(element, yes) {
    if (element && element.hidden === yes) element.hidden = !yes;
  }

  // Asking

  const base = () => location.origin + location.pathname.replace(/\/*$/, "/");

  async function ask(path, words) {
    const order = words !== undefined;
    const answer = await fetch(base() + "lorasmith-tab/" + path, {
      method: order ? "POST" : "GET",
      headers: { "X-Lorasmith-Tab": root().dataset.token, ...(order ? { "Content-Type": "application/json" } : {}) },
      body: order ? JSON.stringify(words) : undefined,
      cache: "no-store",
      credentials: "same-origin",
    });
    if (answer.status === 403) refused = true;
    const text = await answer.json();
    if (!answer.ok) throw new Error(text.error || `status ${answer.status}`);
    return text;
  }

  async function look(path, words) {
    if (busy || refused) return;
    busy = true;
    try {
      last = await ask(path || "status", words);
      render(last);
      if (logOpen) await readLog("child");
      if (last.setup_needed && last.setup && last.setup.state !== "idle") await readLog("setup");
    } catch (error) {
      trouble(error);
    } finally {
      busy = false;
      const changing = !last || logOpen || last.setup_needed || last.child.state !== "running" || !last.health?.ok;
      askAt = Date.now() + (changing ? QUICK : CALM);
    }
  }

  async function order(path, words) {
    while (busy) await new Promise((done) => setTimeout(done, 50));
    await look(path, words || {});
  }

  // Showing

  function trouble(error) {
    if (refused) state("off", "The WebUI was started anew: reload this page.");
    else if (error instanceof TypeError || error instanceof SyntaxError) state("bad", "The WebUI does not answer. Trying again…");
    else if (last?.setup_needed) setupError(error.message);
    else state("bad", error.message);
  }

  function state(kind, words) {
    const dot = part("dot");
    if (dot && dot.dataset.kind !== kind) dot.dataset.kind = kind;
    say("words", words);
  }

  function render(status) {
    const setup = status.setup_needed || status.setup?.state === "running";
    show(part("open"), status.open_to_all);
    show(part("setup"), setup);
    show(button("restart"), !setup);
    show(button("log"), !setup || status.child.state !== "stopped");
    say("version", status.child.version && !setup ? status.child.version : "");
    if (setup) {
      show(part("frame"), false);
      show(part("wait"), false);
      renderSetup(status.setup);
    } else renderChild(status);
    fit();
  }

  function renderChild(status) {
    const { state: is, why, pid } = status.child;
    const loaded = !!frame();
    if (is === "running") {
      openFrame(pid);
      if (!status.health?.ok) state("busy", "does not answer at the moment");
      else state("good", jobWords(status.health.jobs || []) || "ready");
    } else if (is === "given up") state("bad", "has crashed");
    else if (is === "waiting") state("busy", "has ended unexpectedly, starts again…");
    else if (is === "stopping") state("busy", "is ending…");
    else state("busy", loaded ? "starts again…" : "starts…");
    const wait = is === "given up" || (is !== "running" && !loaded);
    show(part("wait"), wait);
    show(part("frame"), !wait);
    if (!wait) return;
    part("wait").dataset.kind = is === "given up" ? "bad" : "";
    say("wait-title", is === "given up" ? "LoRA Smith does not start" : is === "waiting" ? "LoRA Smith starts again…" : "LoRA Smith starts…");
    say("wait-words", is === "given up" ? `${why} The end of its log is below; “Restart” tries again.` : "Only a few seconds.");
    show(part("wait-log"), !!status.last?.length && is !== "starting");
    say("wait-log", (status.last || []).join("\n"));
  }

  function jobWords(jobs) {
    const running = jobs.filter((job) => ["running", "starting"].includes(job.state));
    const waiting = jobs.filter((job) => ["waiting", "queued"].includes(job.state)).length;
    const pieces = running.map((job) => {
      const share = job.total > 0 ? ` ${job.done}/${job.total}` : "";
      return `${job.words || job.stage || "working"}${share}${job.note ? " · " + job.note : ""}`;
    });
    if (waiting) pieces.push(`${waiting} waiting`);
    return pieces.join(" · ");
  }

  // The set-up page

  function renderSetup(setup) {
    if (!setup) return;
    const runs = setup.state === "running";
    const tried = ["failed", "cancelled"].includes(setup.state);
    state(runs ? "busy" : tried ? "bad" : "off", runs ? "is being set up…" : setup.update ? "has been updated" : "is not set up yet");
    say("setup-title", setup.update ? "LoRA Smith was updated" : "Set up LoRA Smith");
    if (setup.update) say("setup-lead", "Its own packages have to follow. What is there already is kept; only what changed is fetched.");
    say("setup-folder", setup.folder);
    say("setup-python", setup.python || setup.no_python || "looking for one…");
    say("setup-size", `${setup.size}; needs ${setup.room}, ${setup.free} are free`);
    show(part("setup-facts"), !runs);
    show(part("setup-more"), !runs && setup.may_name_sources);
    const start = button("setup-start");
    show(start, !runs);
    start.disabled = !setup.python;
    const word = tried ? "Try again" : setup.update ? "Update" : "Set up";
    if (start.textContent !== word) start.textContent = word;
    show(button("setup-look"), !runs && !setup.python && !!setup.no_python);
    show(button("setup-cancel"), runs);
    if (tried) setupError(setup.state === "cancelled" ? "Cancelled. “Try again” goes on from what is there." : setup.error);
    else if (runs) setupError("");
    show(part("setup-progress"), runs);
    if (runs) renderSteps(setup.step);
    say("setup-time", runs ? clock(setup.seconds) : "");
    show(part("setup-log"), runs || setup.state === "failed");
  }

  function setupError(words) {
    say("setup-error", words || "");
    show(part("setup-error"), !!words);
  }

  function renderSteps(step) {
    const [at, of, words] = step.length ? step : [0, 4, "beginning"];
    const key = `${at}/${of} ${words}`;
    if (said.steps === key) return;
    said.steps = key;
    const list = part("setup-steps");
    list.replaceChildren();
    for (let number = 1; number <= of; number++) {
      const item = document.createElement("li");
      item.className = number < at ? "ls-done" : number === at ? "ls-now" : "";
      list.append(item);
    }
    const label = document.createElement("p");
    label.textContent = at ? `Step ${at} of ${of}: ${words}` : `First: ${words}`;
    const old = part("setup-progress").querySelector("p");
    if (old) old.remove();
    part("setup-progress").append(label);
  }

  const clock = (seconds) => `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;

  // Logs

  async function readLog(of) {
    const log = logs[of];
    const { lines, newest, file } = await ask(`log?of=${of}&after=${log.after}`);
    if (newest < log.after) log.lines = [];
    log.after = newest;
    if (of === "child") say("log-file", file ? `All of it: ${file}` : "");
    if (!lines.length) return;
    log.lines = log.lines.concat(lines).slice(-LONGEST_LOG);
    const pre = part(of === "child" ? "log-text" : "setup-log");
    const atEnd = pre.scrollHeight - pre.scrollTop - pre.clientHeight < 40;
    pre.textContent = log.lines.join("\n");
    if (atEnd) pre.scrollTop = pre.scrollHeight;
  }

  function saveLog() {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([logs.child.lines.join("\n") + "\n"], { type: "text/plain" }));
    link.download = "lorasmith-log.txt";
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  }

  function toggleLog() {
    logOpen = !logOpen;
    show(part("log"), logOpen);
    button("log").setAttribute("aria-expanded", String(logOpen));
    askAt = 0;
    fit();
  }

  // The frame

  function openFrame(pid) {
    if (frame() && framePid === pid) return;
    const place = part("frame");
    const address = base() + "lorasmith/";
    const words = new URLSearchParams({ t: root().dataset.token, b: address, __theme: isDark() ? "dark" : "light" });
    const made = document.createElement("iframe");
    made.title = "LoRA Smith";
    made.allow = "clipboard-read; clipboard-write; fullscreen";
    made.addEventListener("load", tellTheme);
    made.src = `${address}?${words}`;
    place.replaceChildren(made); // a new process: its page of before knows sessions that are gone
    framePid = pid;
  }

  function fit() {
    const place = part("frame");
    if (!place || place.hidden) return;
    const top = place.getBoundingClientRect().top + window.scrollY;
    const height = `${Math.max(480, Math.floor(window.innerHeight - top - 10))}px`;
    if (place.style.height !== height) place.style.height = height;
  }

  function tellTheme() {
    frame()?.contentWindow?.postMessage({ lorasmith: "theme", theme: isDark() ? "dark" : "light" }, location.origin);
  }

  // "Send to txt2img"

  function heard(event) {
    const page = frame();
    if (event.origin !== location.origin || !page || event.source !== page.contentWindow) return;
    const words = event.data;
    if (!words || typeof words !== "object" || words.lorasmith !== "txt2img") return;
    fill("#txt2img_prompt textarea", words.prompt);
    fill("#txt2img_neg_prompt textarea", words.negative);
    if (typeof switch_to_txt2img === "function") switch_to_txt2img();
    else app().querySelector("#tabs button")?.click();
  }

  function fill(selector, text) {
    const box = app().querySelector(selector);
    if (!box || typeof text !== "string") return;
    box.value = text;
    if (typeof updateInput === "function") updateInput(box);
    else box.dispatchEvent(new Event("input", { bubbles: true }));
  }

  // What is pressed

  const ORDERS = {
    log: toggleLog,
    "save-log": saveLog,
    restart() {
      const jobs = last?.health?.jobs || [];
      const works = jobs.some((job) => ["running", "starting"].includes(job.state));
      if (works && !confirm("Work is under way. It is ended softly and can go on later. Restart LoRA Smith?")) return;
      order("restart");
    },
    "setup-start": () => order("setup/start", { torch_index: part("setup-index").value }),
    "setup-cancel": () => order("setup/cancel"),
    "setup-look": () => order("setup/look"),
  };

  function pressed(event) {
    const element = event.target.closest?.("[data-ls-do]");
    if (element && root()?.contains(element)) ORDERS[element.dataset.lsDo]?.();
  }

  function tick() {
    if (!onView()) return;
    fit();
    if (!opened) {
      opened = true;
      look("open", {});
    } else if (Date.now() >= askAt) {
      const stopped = last && !last.setup_needed && last.child.state === "stopped";
      if (stopped) look("open", {});
      else look("status");
    }
  }

  function begin() {
    app().addEventListener("click", pressed);
    window.addEventListener("message", heard);
    window.addEventListener("resize", fit);
    new MutationObserver(tellTheme).observe(document.body, { attributes: true, attributeFilter: ["class"] });
    setInterval(tick, TICK);
  }

  if (typeof onUiLoaded === "function") onUiLoaded(begin);
  else document.addEventListener("DOMContentLoaded", begin);
})();

// The page's own script: asks the server each second how far everything is, and draws what Gradio does not.
(function () {
  "use strict";
  const LOOK_EVERY = 1000; // milliseconds
  const LONGEST_CLICK = 3000; // milliseconds; the end of a press outside the window is never told
  const TYPED_IN = "textarea, [contenteditable], input:not([type=checkbox], [type=radio], [type=range], [type=button])"; // has an undo of its own
  const MINE = new URL(document.currentScript.src).searchParams.get("v"); // what the server calls these scripts
  const asked = new URLSearchParams(location.search);
  let state = null;
  let chosen = {}; // stage -> {page, show}
  let lost = 0;
  let returns = 0; // how often the server or the project was away and came back
  let looking = false;
  let filled = null; // the version of lorasmith.toml that the forms show
  let again = false; // somebody wants to know more while an answer is on its way
  let seen = Number(sessionStorage.getItem("ls-seen") || 0); // the newest ended job that was put away

  const all = (selector, root) => Array.from((root || document).querySelectorAll(selector));

  function make(tag, attributes, ...inside) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
    node.append(...inside);
    return node;
  }

  function project() {
    return asked.get("project") || "";
  }

  function open(id) {
    asked.set("project", id);
    asked.delete("at");
    location.search = asked.toString();
  }

  function button(words, act, attributes) {
    const one = make("button", { type: "button", ...attributes }, words);
    if (act) one.addEventListener("click", act);
    return one;
  }

  const note = (words, kind) => make("p", { class: `ls-note ${kind || ""}`, ...(kind === "warn" ? { role: "alert" } : {}) }, words);
  const many = (count) => Number(count).toLocaleString("en");
  const NOBODY = "The server did not answer, so nothing was done. Is lorasmith still running?";
  const plural = (count, word) => `${many(count)} ${word}${count === 1 ? "" : "s"}`;
  const percent = (share) => `${Math.round(100 * share)} %`;
  const shown = (tag) => String(tag).replaceAll("_", " ");

  // Asks about the project on the page; gives the answer, or `error` as a sentence, with `lost` where nobody answered.
  function get(path, words) {
    const asks = new URLSearchParams(words); // an object, or a list of pairs where a name comes twice
    asks.set("project", project());
    return answered(`${path}?${asks}`);
  }

  // Sends something about the project on the page; gives what `get` gives, and tells nothing.
  function send(path, body) {
    return answered(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ project: project(), ...body }) });
  }

  // What is drawn anew between the press of a button and its release takes the click away: the browser sees two buttons. So answers
  // wait for the release, but not longer than a click takes.
  let held = null;
  document.addEventListener("pointerdown", (event) => {
    if (!event.target.closest("a, button, summary")) return;
    const over = new AbortController();
    const mine = new Promise((free) => {
      const end = () => { over.abort(); if (held === mine) held = null; free(); };
      for (const word of ["pointerup", "pointercancel", "dragstart"]) document.addEventListener(word, () => setTimeout(end), { signal: over.signal, capture: true });
      setTimeout(end, LONGEST_CLICK);
    });
    held = mine;
  }, true);

  async function answered(path, options) {
    try {
      const answer = await fetch(path, options);
      const content = await answer.json();
      await held;
      return answer.ok ? content : { ...content, error: content.error || answer.statusText || "It could not be done.", status: answer.status };
    } catch (error) {
      return { error: "The server did not answer; the page tries again.", lost: true };
    }
  }

  // Sends what a person wants done, and tells them where it could not be.
  async function post(path, body) {
    const content = await send(path, body);
    if (content.lost) tell(NOBODY, "warn");
    else if (content.error) tell(content.error, "warn");
    if (!content.lost) look();
    return content.error ? null : content;
  }

  function tell(words, kind) {
    const box = make("div", { class: "ls-toast " + (kind || ""), role: kind === "warn" ? "alert" : "status" }, words);
    for (const old of all(".ls-toast").slice(0, -2)) old.remove();
    toasts().append(box);
    setTimeout(() => box.remove(), kind === "warn" ? 12000 : 4000);
  }

  function toasts() {
    return document.querySelector(".ls-toasts") || document.body.appendChild(make("div", { class: "ls-toasts" }));
  }

  // ---- how far everything is

  async function look() {
    if (looking) {
      again = true;
      return;
    }
    looking = true;
    try {
      const answer = await fetch("api/state?project=" + encodeURIComponent(project()));
      const content = await answer.json();
      if (!answer.ok) throw new Error(content.error || answer.statusText);
      await held;
      if (lost > 2) tell("The server answers again.");
      if (lost > 2 || (state && state.fault && !content.fault)) cameBack();
      if (content.version && returns) content.version += ` ${returns}`;
      state = content;
      lost = 0;
      drawLost("");
    } catch (error) {
      lost += 1;
      if (lost > 2) drawLost(String(error.message || error));
      return;
    } finally {
      hush();
      looking = false;
      if (again) {
        again = false;
        setTimeout(look, 50);
      }
    }
    draw();
  }

  // The server or the project was away: what was asked meanwhile had a sentence for an answer, so everything is asked anew.
  function cameBack() {
    returns += 1;
    for (const image of all("img.ls-unseen")) { seenAgain(image); image.src = image.getAttribute("src"); }
  }

  function fill(node, html) {
    if (node.dataset.lsDrawn === html) return;
    node.dataset.lsDrawn = html;
    node.innerHTML = html;
  }

  // Replaces only the parts of a view that are different, so that a click or a look at the others is not disturbed.
  function patch(node, html) {
    if (node.dataset.lsDrawn === html) return false;
    node.dataset.lsDrawn = html;
    const fresh = document.createElement("template");
    fresh.innerHTML = html;
    const parts = Array.from(fresh.content.children);
    parts.forEach((part, place) => {
      const old = node.children[place];
      if (!old) node.append(part);
      else if (part.dataset.lsOwn && old.dataset.lsOwn === part.dataset.lsOwn) return; // a script of its own draws in it
      else if (old.outerHTML !== part.outerHTML) old.replaceWith(part);
    });
    while (node.children.length > parts.length) node.lastElementChild.remove();
    return true;
  }

  function safe(words) {
    const node = document.createElement("span");
    node.textContent = words === null || words === undefined ? "" : String(words);
    return node.innerHTML;
  }

  // Gradio lays its own word of a lost connection over the buttons of the head and leaves it there; ours is told below.
  function hush() {
    for (const words of all('[data-testid="toast-text"]').filter((one) => /^Connection to the server was lost/.test(one.textContent))) {
      words.closest(".toast-body").style.display = "none"; // Gradio takes it away itself, or never
    }
  }

  // A line over everything, until the server answers: what is on the page may be old, and nothing can be done now.
  function drawLost(words) {
    const line = document.querySelector(".ls-lost");
    if (!words && line) line.remove();
    if (!words || line) return;
    const told = make("span", {}, "No answer from lorasmith. What you see may be old; nothing that was finished is lost. Trying again … ");
    document.body.prepend(make("div", { class: "ls-lost", role: "alert", title: words }, told));
  }

  // The forms follow lorasmith.toml, whoever writes it; what a person has changed in a field and not started yet stays.
  function refill() {
    if (!state.settings || state.settings === filled) return;
    const button = filled === null ? null : document.querySelector("#ls-refill");
    filled = state.settings;
    if (button) button.click();
  }

  function draw() {
    for (const node of all('[data-ls="head"]')) fill(node, head());
    for (const node of all('[data-ls="overview"]')) fill(node, overview());
    for (const node of all('[data-ls="stage"]')) fill(node, stageLine(node.dataset.stage));
    for (const button of all("[id^=ls-start-]")) label(button);
    for (const node of all('[data-ls="view"]')) view(node);
    refill();
    toldAnew();
  }

  function toldAnew() {
    document.dispatchEvent(new CustomEvent("ls-state"));
  }

  // A page that was chosen is drawn as soon as Gradio shows it, some frames after the click, and not at the next look. Gradio may
  // put another place into its stead within the two seconds after. On a busy machine the first answer is there before the page is.
  function drawWhenShown(page) {
    const places = page === "projects" ? '[data-ls="overview"]' : `[data-ls="view"][data-stage="${page}"], [data-ls-own="${page}"]`;
    let drawn = null, looks = 0;
    const timer = setInterval(() => {
      const place = all(places).find((one) => one.offsetParent !== null);
      if (state && place && place !== drawn) {
        if (!drawn) looks = 0;
        drawn = place;
        draw();
      }
      if (++looks > (drawn ? 100 : 3000) || sessionStorage.getItem("ls-page") !== page) clearInterval(timer);
    }, 20);
  }

  function head() {
    const name = state.trigger ? `<b>${safe(state.trigger)}</b><span class="ls-folder">${safe(state.folder)}</span>` : "<b>lorasmith</b>";
    const jobs = line();
    const history = state.trigger ? '<span class="ls-history"><button data-history="undo" title="Ctrl+Z" aria-keyshortcuts="Control+Z">undo</button><button data-history="redo" title="Ctrl+Shift+Z" aria-keyshortcuts="Control+Shift+Z Control+Y">redo</button></span>' : "";
    const fault = state.fault ? `<p class="ls-note warn" role="alert">${safe(state.fault)} <button data-close>Show my projects</button></p>` : "";
    const webui = state.webui ? `<p class="ls-note">${safe(state.webui)}</p>` : "";
    const old = state.page === MINE ? "" : '<p class="ls-note warn" role="alert">lorasmith was updated after this page was opened. <button data-anew>Load it anew</button></p>';
    return `<div class="ls-head">${name}${history}</div>${old}${fault}${jobs}${ended()}${webui}`;
  }

  // What is at work, then the first that wait; a long line is the Queue page's.
  function line() {
    const waiting = state.jobs.filter((one) => one.state === "waiting");
    const shown = [...state.jobs.filter((one) => one.state !== "waiting"), ...waiting.slice(0, waiting.length > 3 ? 2 : 3)];
    const more = state.jobs.length - shown.length;
    return shown.map(job).join("") + (more ? `<div class="ls-job"><span class="ls-words">and ${more} more in the line</span><button data-go="queue">Queue</button></div>` : "");
  }

  // The newest job of this project, when it failed or was stopped, until it is put away.
  function ended() {
    const one = (state.last || [])[0];
    if (!one || one.id <= seen || one.state === "done" || state.jobs.some((job) => job.folder === state.folder)) return "";
    const word = one.state === "stopped" ? "was stopped. Nothing finished was lost; start it again to go on." : `failed: ${safe(one.error)}`;
    return `<p class="ls-note ${one.state === "failed" ? "warn" : ""}"><b>${safe(one.command)}</b> ${word} ` +
      `<a href="api/log/${one.id}" target="_blank">log</a> <button data-seen="${one.id}">×</button></p>`;
  }

  function job(one) {
    const share = one.total ? Math.min(100, (100 * one.done) / one.total) : 0;
    const count = one.total ? `${one.done} of ${one.total}` : "";
    const mine = state.folder === one.folder ? "" : ` · ${safe(one.folder)}`;
    const word = one.stopping ? "stopping …" : one.state === "waiting" ? (one.held ? "held" : "waiting its turn") : `${safe(one.stage)} ${count} ${safe(one.note)}`;
    const value = one.total ? ` aria-valuemin="0" aria-valuemax="100" aria-valuenow="${share.toFixed(0)}"` : "";
    const bar = `<span class="ls-progress${one.total ? "" : " ls-unknown"}" role="progressbar" aria-label="${safe(one.command)}"${value}><i style="width:${share.toFixed(1)}%"></i></span>`;
    return `<div class="ls-job" data-job="${one.id}"><b>${safe(one.name ? `${one.command}: ${one.name}` : one.command)}</b>${bar}<span class="ls-words">${word}${mine}</span>` +
      `<a href="api/log/${one.id}" target="_blank">log</a><button data-stop="${one.id}"${one.stopping ? " disabled" : ""}>Stop</button></div>`;
  }

  function stateOf(stage) {
    const active = state.jobs.find((one) => one.folder === state.folder && (one.stage === stage || one.command === stage) && one.state === "running");
    if (active) return { state: "running", words: `${active.note || ""} ${active.total ? `${active.done} of ${active.total}` : ""}` };
    return (state.stages || []).find((one) => one.name === stage) || { state: "waiting", words: "" };
  }

  // The road: eight stations on a line that is drawn as far as the project has come; a click leads to the page.
  function overview() {
    if (!state.trigger) return state.fault ? "" : '<p class="ls-note">Open a project below, or make a new one.</p>';
    const marks = { done: "✓", begun: "…", running: "▸" };
    const told = { done: "done", begun: "begun", running: "at work", ready: "ready", waiting: "later" };
    const stations = state.stages.map((one, place) => {
      const now = stateOf(one.name);
      const next = one.name === state.next && now.state !== "running";
      const count = one.count ? `<span class="ls-count"><b>${one.count[0].toLocaleString("en")}</b> ${safe(one.count[1])}</span>` : "";
      const before = place ? stateOf(state.stages[place - 1].name) : {};
      const said = (one.count && now.state === "done") || (now.state === "waiting" && now.words === before.words);
      const words = said ? "" : `<span class="ls-words-of">${safe(now.words)}</span>`;
      return `<li class="ls-${now.state}${next ? " ls-here" : ""}"><a href="#" data-go="${safe(one.name)}" title="${safe(now.words)}"${next ? ' aria-current="step"' : ""}>` +
        `<i aria-hidden="true">${marks[now.state] || place + 1}</i><b>${safe(one.name)}</b><span class="ls-told-state">${next ? "next" : told[now.state]}</span>${count}${words}</a></li>`;
    });
    return `<section class="ls-road"><p class="ls-next">${safe(state.advice)}</p><ol class="ls-stages" aria-label="the road of ${safe(state.trigger)}">${stations.join("")}</ol></section>`;
  }

  function stageLine(stage) {
    if (!state.stages) return '<p class="ls-note warn">No project is open: choose one on the Projects page.</p>';
    const now = stateOf(stage);
    return `<p class="ls-state ls-${now.state}"><i></i>${safe(now.words)}</p>`;
  }

  function label(button) {
    const stage = button.id.replace("ls-start-", "");
    const now = stateOf(stage);
    const words = now.state === "begun" ? `Go on with ${stage}` : now.state === "done" ? `Start ${stage} again` : `Start ${stage}`;
    if (button.textContent.trim() !== words) button.textContent = words;
  }

  // ---- a stage's picture

  async function view(node) {
    const stage = node.dataset.stage;
    if (!project() || !state.version || node.offsetParent === null || node.dataset.asking) return;
    const mine = chosen[stage] || {};
    const from = JSON.stringify([state.version, mine]);
    if (node.dataset.from === from) return;
    node.dataset.asking = "yes";
    try {
      const words = new URLSearchParams({ project: project(), page: mine.page || 1, show: mine.show || "all" });
      const answer = await fetch(`api/view/${stage}?${words}`);
      const content = answer.ok ? await answer.text() : `<p class="ls-note warn">${safe((await answer.json()).error)}</p>`;
      await held;
      node.dataset.from = from;
      if (patch(node, content)) toldAnew(); // a script of its own may have its place now
    } catch (error) {
      // the next look asks again
    } finally {
      delete node.dataset.asking;
    }
  }

  // ---- clicks

  // After a press that nobody heard Gradio is deaf, and loads the page anew when the server is back: what was typed would be lost. So
  // the server is asked first.
  let heard = null;
  document.addEventListener("click", async (event) => {
    const pressed = event.target.closest('button[id^="ls-"]');
    if (!pressed || pressed === heard) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if ((await answered("api/health", { cache: "no-store" })).lost) return tell(NOBODY, "warn");
    heard = pressed;
    pressed.click();
    heard = null;
  }, true);

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-anew],[data-close],[data-seen],[data-decide],[data-page],[data-show],[data-stop],[data-history],[data-go],[data-open],[data-forget],[data-large],[data-erase],[data-crop],[data-touch],[data-batch],[data-send]");
    if (!target) return;
    const data = target.dataset;
    const stage = (target.closest('[data-ls="view"]') || { dataset: {} }).dataset.stage;
    event.preventDefault();
    if ("anew" in data) location.reload();
    else if ("close" in data) open("");
    else if ("seen" in data) putAway(Number(data.seen));
    else if ("decide" in data) decide(target);
    else if ("page" in data) turn(stage, { page: Number(data.page) });
    else if ("show" in data) turn(stage, { show: data.show, page: 1 });
    else if ("stop" in data) post("api/stop", { job: Number(data.stop) });
    else if ("history" in data) history(data.history);
    else if ("go" in data) go(data.go);
    else if ("open" in data) open(data.open);
    else if ("forget" in data) post("api/forget", { project: data.forget }).then(() => target.closest("li").remove());
    else if ("erase" in data) window.lorasmith.erase(target.closest("[data-name]"));
    else if ("touch" in data) window.lorasmith.touch(target.closest("[data-name]"));
    else if ("batch" in data) window.lorasmith.batch();
    else if ("crop" in data) window.lorasmith.crop(target.closest("[data-name]"));
    else if ("send" in data) sendPrompt(data.send);
    else if ("large" in data) large(target.href, (target.querySelector("img") || {}).alt || "");
  });

  async function history(way) {
    const done = await post("api/history", { way });
    if (done) tell(`${way}: ${done.what}`);
    return done;
  }

  // Ctrl+Z and Ctrl+Shift+Z or Ctrl+Y on every page. A page with keys of its own listens on the document and prevents the
  // default, so the window hears of it after them. Where nobody did, it is prevented here: a browser would else take back
  // the last typing in some field that nobody looks at.
  window.addEventListener("keydown", (event) => {
    const letter = event.key.toLowerCase();
    if (!(event.ctrlKey || event.metaKey) || event.altKey || !["z", "y"].includes(letter)) return;
    if (event.target.matches(TYPED_IN) || document.querySelector("[aria-modal=true]")) return;
    if (event.defaultPrevented || !state || !state.trigger) return;
    event.preventDefault();
    history(letter === "y" || event.shiftKey ? "redo" : "undo");
  });

  function putAway(job) {
    seen = job;
    sessionStorage.setItem("ls-seen", String(job));
    draw();
  }

  function turn(stage, change) {
    chosen[stage] = { ...(chosen[stage] || {}), ...change };
    draw();
  }

  async function decide(button) {
    const tile = button.closest("[data-name]");
    const done = await post("api/decide", { names: [tile.dataset.name], verdict: button.dataset.decide });
    if (!done) return;
    tile.classList.toggle("ls-dropped", button.dataset.decide === "drop");
    for (const other of all("[data-decide]", tile)) other.setAttribute("aria-pressed", String(other === button));
  }

  const tabOf = (page) => all("#ls-tabs [data-tab-id]").find((one) => one.dataset.tabId === page);

  function go(page) {
    const tab = tabOf(page);
    if (tab) tab.click();
  }

  function large(address, alt) {
    const opener = document.activeElement;
    const image = make("img", { src: address, alt });
    const shut = make("button", { type: "button", "aria-label": "close" }, "×");
    const box = make("div", { class: "ls-large", role: "dialog", "aria-modal": "true", "aria-label": alt || "one picture" }, image, shut);
    const close = () => { box.remove(); document.removeEventListener("keydown", keys); if (opener && opener.isConnected) opener.focus(); };
    const keys = (event) => { if (event.key === "Escape") close(); else if (event.key === "Tab") { event.preventDefault(); shut.focus(); } };
    image.addEventListener("error", () => image.replaceWith(make("p", {}, "The picture cannot be shown: is its file still there?")));
    box.addEventListener("click", close);
    document.addEventListener("keydown", keys);
    document.body.append(box);
    shut.focus();
  }

  // A sentence takes the place of a picture that cannot be fetched, unless its page's own script has seen to it by then.
  function unseen(image) {
    if (!image.isConnected || image.hidden || !image.complete || image.naturalWidth || image.matches(".ls-unseen")) return;
    image.classList.add("ls-unseen");
    image.after(make("span", { class: "ls-broken" }, "cannot be shown: is its file still there?"));
  }

  function seenAgain(image) {
    if (!image.matches(".ls-unseen")) return;
    image.classList.remove("ls-unseen");
    image.parentElement?.querySelector(":scope > .ls-broken")?.remove();
  }

  document.addEventListener("error", (event) => { if (event.target.tagName === "IMG") setTimeout(unseen, 0, event.target); }, true);
  document.addEventListener("load", (event) => { if (event.target.tagName === "IMG") seenAgain(event.target); }, true);

  async function sendPrompt(lora) {
    if (window.parent === window) return;
    const made = await post("api/send", { lora });
    if (made) window.parent.postMessage({ lorasmith: "txt2img", prompt: made.prompt, negative: "" }, location.origin);
  }

  window.addEventListener("message", (event) => {
    if (event.source !== window.parent || event.origin !== location.origin || !event.data) return;
    if (event.data.lorasmith === "theme") document.body.classList.toggle("dark", event.data.theme === "dark");
  });

  // Inside a WebUI the frame is loaded anew now and then ("Reload UI", a restart): it comes back to where the person was.
  function comeBack() {
    if (window.parent === window) return;
    const id = sessionStorage.getItem("ls-project");
    if (project()) sessionStorage.setItem("ls-project", project());
    else if (id) {
      sessionStorage.removeItem("ls-project"); // once: a project that is gone must not be opened for ever
      asked.set("at", sessionStorage.getItem("ls-page") || "");
      asked.set("project", id);
      location.search = asked.toString();
    }
  }

  document.addEventListener("click", (event) => {
    const tab = event.target.closest("#ls-tabs [data-tab-id]"); // pages have tabs of their own
    if (!tab) return;
    sessionStorage.setItem("ls-page", tab.dataset.tabId);
    drawWhenShown(tab.dataset.tabId);
  });

  // Shows the page that the address names; after a reload the one that this window showed. Not before the forms are filled,
  // so that nobody types into one that is. Gradio draws its tabs late and perhaps twice, so the choice is looked after until
  // it has held for a second; who chooses another page meanwhile has it.
  function arrive() {
    const again = performance.getEntriesByType("navigation").some((one) => one.type === "reload");
    const page = (again && sessionStorage.getItem("ls-page")) || asked.get("at") || "projects";
    sessionStorage.setItem("ls-page", page);
    if (page === "projects") return drawWhenShown(page);
    let looks = 0, held = 0;
    const timer = setInterval(() => {
      const tab = tabOf(page);
      if ((!tab || !isFilled()) && ++looks < 2400) return;
      if (!tab || held >= 40 || sessionStorage.getItem("ls-page") !== page) clearInterval(timer);
      else if (tab.getAttribute("aria-selected") === "true") held += 1;
      else { held = 0; tab.click(); }
    }, 25);
  }

  function isFilled() {
    const field = document.querySelector("#ls-project textarea, #ls-project input");
    return !project() || Boolean(field && field.value);
  }

  comeBack();
  arrive();
  window.lorasmith = {
    open, get, send, post, tell, make, button, note, many, plural, percent, shown, project, history, go, large, stateOf, turn, state: () => state,
  };
  setInterval(() => { if (!document.hidden) look(); }, LOOK_EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  look();
})();

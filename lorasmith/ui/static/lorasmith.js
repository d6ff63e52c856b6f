// The page's own script: asks the server each second how far everything is, and draws what Gradio does not.
(function () {
  "use strict";
  const LOOK_EVERY = 1000; // milliseconds
  const asked = new URLSearchParams(location.search);
  let state = null;
  let chosen = {}; // stage -> {page, show}
  let lost = 0;
  let looking = false;
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

  async function post(path, body) {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ project: project(), ...body }),
    });
    const content = await answer.json().catch(() => ({ error: "The server did not answer." }));
    if (!answer.ok) tell(content.error || "It could not be done.", "warn");
    look();
    return answer.ok ? content : null;
  }

  function tell(words, kind) {
    const box = make("div", { class: "ls-toast " + (kind || ""), role: "status" }, words);
    document.body.append(box);
    setTimeout(() => box.remove(), kind === "warn" ? 12000 : 4000);
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
      state = content;
      lost = 0;
    } catch (error) {
      lost += 1;
      if (lost > 2) drawLost(String(error.message || error));
      return;
    } finally {
      looking = false;
      if (again) {
        again = false;
        setTimeout(look, 50);
      }
    }
    draw();
  }

  function fill(node, html) {
    if (node.dataset.lsDrawn === html) return;
    node.dataset.lsDrawn = html;
    node.innerHTML = html;
  }

  // Replaces only the parts of a view that are different, so that a click or a look at the others is not disturbed.
  function patch(node, html) {
    if (node.dataset.lsDrawn === html) return;
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
  }

  function safe(words) {
    const node = document.createElement("span");
    node.textContent = words === null || words === undefined ? "" : String(words);
    return node.innerHTML;
  }

  function drawLost(words) {
    for (const node of all('[data-ls="head"]')) fill(node, `<div class="ls-head"><b>lorasmith</b><span class="ls-lost">No answer (${safe(words)}). Trying again …</span></div>`);
  }

  function draw() {
    for (const node of all('[data-ls="head"]')) fill(node, head());
    for (const node of all('[data-ls="overview"]')) fill(node, overview());
    for (const node of all('[data-ls="stage"]')) fill(node, stageLine(node.dataset.stage));
    for (const button of all("[id^=ls-start-]")) label(button);
    for (const node of all('[data-ls="view"]')) view(node);
    document.dispatchEvent(new CustomEvent("ls-state"));
  }

  function head() {
    const name = state.trigger ? `<b>${safe(state.trigger)}</b><span class="ls-folder">${safe(state.folder)}</span>` : "<b>lorasmith</b>";
    const jobs = state.jobs.map(job).join("");
    const history = state.trigger ? '<span class="ls-history"><button data-history="undo">undo</button><button data-history="redo">redo</button></span>' : "";
    const fault = state.fault ? `<p class="ls-note warn">${safe(state.fault)}</p>` : "";
    const webui = state.webui ? `<p class="ls-note">${safe(state.webui)}</p>` : "";
    return `<div class="ls-head">${name}${history}</div>${fault}${jobs}${ended()}${webui}`;
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
    const word = one.stopping ? "stopping …" : one.state === "waiting" ? "waiting its turn" : `${safe(one.stage)} ${count} ${safe(one.note)}`;
    const bar = `<span class="ls-progress${one.total ? "" : " ls-unknown"}"><i style="width:${share.toFixed(1)}%"></i></span>`;
    return `<div class="ls-job" data-job="${one.id}"><b>${safe(one.command)}</b>${bar}<span class="ls-words">${word}${mine}</span>` +
      `<a href="api/log/${one.id}" target="_blank">log</a><button data-stop="${one.id}"${one.stopping ? " disabled" : ""}>Stop</button></div>`;
  }

  function stateOf(stage) {
    const active = state.jobs.find((one) => one.folder === state.folder && (one.stage === stage || one.command === stage) && one.state === "running");
    if (active) return { state: "running", words: `${active.note || ""} ${active.total ? `${active.done} of ${active.total}` : ""}` };
    return (state.stages || []).find((one) => one.name === stage) || { state: "waiting", words: "" };
  }

  function overview() {
    if (!state.trigger) return '<p class="ls-note">Open a project below, or make a new one.</p>';
    const rows = state.stages.map((one) => {
      const now = stateOf(one.name);
      return `<li class="ls-${now.state}"><a href="#" data-go="${safe(one.name)}"><i></i><b>${safe(one.name)}</b><span>${safe(now.words)}</span></a></li>`;
    });
    return `<section><h3>${safe(state.trigger)}</h3><p class="ls-next">${safe(state.advice)}</p><ol class="ls-stages">${rows.join("")}</ol></section>`;
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
      patch(node, content);
      node.dataset.from = from;
    } catch (error) {
      // the next look asks again
    } finally {
      delete node.dataset.asking;
    }
  }

  // ---- clicks

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-seen],[data-decide],[data-page],[data-show],[data-stop],[data-history],[data-go],[data-open],[data-forget],[data-large],[data-erase],[data-crop],[data-touch],[data-batch],[data-send]");
    if (!target) return;
    const data = target.dataset;
    const stage = (target.closest('[data-ls="view"]') || { dataset: {} }).dataset.stage;
    event.preventDefault();
    if ("seen" in data) putAway(Number(data.seen));
    else if ("decide" in data) decide(target);
    else if ("page" in data) turn(stage, { page: Number(data.page) });
    else if ("show" in data) turn(stage, { show: data.show, page: 1 });
    else if ("stop" in data) post("api/stop", { job: Number(data.stop) });
    else if ("history" in data) post("api/history", { way: data.history }).then((done) => done && tell(`${data.history}: ${done.what}`));
    else if ("go" in data) go(data.go);
    else if ("open" in data) open(data.open);
    else if ("forget" in data) post("api/forget", { project: data.forget }).then(() => target.closest("li").remove());
    else if ("erase" in data) window.lorasmith.erase(target.closest("[data-name]"));
    else if ("touch" in data) window.lorasmith.touch(target.closest("[data-name]"));
    else if ("batch" in data) window.lorasmith.batch();
    else if ("crop" in data) window.lorasmith.crop(target.closest("[data-name]"));
    else if ("send" in data) send(data.send);
    else if ("large" in data) large(target.href);
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

  function go(stage) {
    const title = stage.charAt(0).toUpperCase() + stage.slice(1);
    const tab = all("#ls-tabs button[role=tab]").find((one) => one.textContent.trim() === title);
    if (tab) tab.click();
  }

  function large(address) {
    const box = make("div", { class: "ls-large", role: "dialog" }, make("img", { src: address }));
    const close = () => { box.remove(); document.removeEventListener("keydown", keys); };
    const keys = (event) => { if (event.key === "Escape") close(); };
    box.addEventListener("click", close);
    document.addEventListener("keydown", keys);
    document.body.append(box);
  }

  async function send(lora) {
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
    const tab = event.target.closest("#ls-tabs button[role=tab]");
    if (tab) sessionStorage.setItem("ls-page", tab.textContent.trim().toLowerCase());
  });

  comeBack();
  window.lorasmith = { open, post, tell, make, project, turn, go, state: () => state };
  setInterval(() => { if (!document.hidden) look(); }, LOOK_EVERY);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) look(); });
  look();
})();

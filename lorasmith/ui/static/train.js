// The Train page: how it stands, start, pause and cancel, which part is shown, and the preset above the form.
(function () {
  "use strict";
  const { make, button, get, plural, post, project, state } = window.lorasmith;
  const PARTS = { plan: "Before it trains", run: "How it goes" };
  const drawers = {}; // part -> function(node) that draws it; the other files add theirs
  let shell = null;
  let look = { part: "", run: "" };
  let drawn = "";
  let busy = false;
  let anew = false; // something was changed while an answer was on its way
  let missed = false; // the server did not answer: it is asked again
  let form = null; // the last answer about the settings
  let back = null; // what was there before the last change that was made here
  let told = null; // the last answer about the run

  // ---- asking and changing

  async function ask(what, words) {
    const found = await get(`api/train/${what}`, words);
    missed = missed || Boolean(found.lost);
    return found;
  }

  async function change(what, body) {
    const done = await post(`api/train/${what}`, body);
    if (done && done.before) back = done.before;
    if (done) await again();
    return done;
  }

  const spaced = (name) => name.replaceAll("_", " ");
  const trim = (text) => (text.includes(".") ? text.replace(/0+(?=e|$)/, "").replace(/\.(?=e|$)/, "") : text);

  // Writes a number as a person would: 0.00018 is 1.8e-4.
  function figure(value, digits) {
    if (value === null || value === undefined) return "–";
    if (typeof value !== "number" || Number.isInteger(value)) return String(value);
    const small = Math.abs(value) < 0.001;
    return trim(small ? value.toExponential((digits || 3) - 1) : value.toPrecision(digits || 3));
  }

  function worth(value) {
    if (value === null || value === undefined) return "unset";
    if (typeof value === "boolean") return value ? "yes" : "no";
    if (Array.isArray(value)) return value.length ? value.join(", ") : "none";
    return value === "" ? "empty" : figure(value, 6);
  }

  function lasting(seconds) {
    if (seconds === null || seconds === undefined) return "–";
    if (seconds < 90) return `${Math.max(1, Math.round(seconds))} s`;
    const minutes = Math.round(seconds / 60);
    return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  }

  // ---- the place, and when it is drawn anew

  document.addEventListener("ls-state", () => refresh(false));

  function keep() {
    sessionStorage.setItem(`ls-train-${project()}`, JSON.stringify(look));
  }

  function mount(place) {
    shell = place;
    drawn = "";
    try {
      look = { ...look, ...JSON.parse(sessionStorage.getItem(`ls-train-${project()}`) || "{}") };
    } catch (error) {
      // as at the beginning
    }
    const tabs = Object.entries(PARTS).map(([name, words]) => button(words, () => go({ part: name }), { role: "tab", "data-part": name, id: `lsr-tab-${name}`, "aria-controls": "lsr-part" }));
    const list = make("nav", { class: "lsr-parts", role: "tablist", "aria-label": "parts of the Train page" }, ...tabs);
    list.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      event.preventDefault();
      const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
      next.focus();
      next.click();
    });
    place.replaceChildren(make("div", { class: "lsr-bar", role: "group", "aria-label": "the training" }), list, make("div", { class: "lsr-part", role: "tabpanel", id: "lsr-part", tabindex: "-1" }));
  }

  function go(wanted) {
    look = { ...look, ...wanted };
    keep();
    return again();
  }

  function again() {
    drawn = "";
    return refresh(true);
  }

  async function refresh(now) {
    const place = document.querySelector('[data-ls-own="train"]');
    if (!place || !project() || place.offsetParent === null) return;
    if (shell !== place || !place.querySelector(".lsr-part")) mount(place);
    bar();
    const wanted = JSON.stringify([(state() || {}).version || "", look, jobKey()]);
    if (wanted === drawn && !now) return;
    if (busy) return void (anew = anew || now);
    busy = true;
    missed = false;
    try {
      await answer();
      drawn = anew || missed ? "" : wanted;
    } finally {
      busy = false;
      if (anew) {
        anew = false;
        await refresh(true);
      }
    }
  }

  async function answer() {
    const [settings, run] = await Promise.all([ask("form"), ask("run", look.run ? { run: look.run } : {})]);
    if (run.error && look.run && !run.lost) {
      look.run = "";
      keep();
    }
    told = run.error ? { ...(told || { runs: [] }), error: run.error } : run;
    if (!look.part) look.part = (told.run && told.run.state !== "ended") || told.job ? "run" : "plan";
    if (!settings.error) form = settings;
    preset(settings);
    bar();
    for (const tab of shell.querySelectorAll("[role=tab]")) {
      const chosen = tab.dataset.part === look.part;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
    const node = shell.querySelector(".lsr-part");
    node.setAttribute("aria-labelledby", `lsr-tab-${look.part}`);
    if (node.dataset.part !== look.part) node.replaceChildren();
    node.dataset.part = look.part;
    if (drawers[look.part]) await drawers[look.part](node);
  }

  // The job of this project's training, as the once-a-second answer has it.
  function job() {
    const now = state();
    return ((now && now.jobs) || []).find((one) => one.folder === now.folder && (one.command === "train" || one.command === "run"));
  }

  function jobKey() {
    const one = job();
    return one ? [one.id, one.state, one.held, one.stopping] : null;
  }

  // ---- how it stands, and the buttons

  function bar() {
    const node = shell && shell.querySelector(".lsr-bar");
    if (!node) return;
    const one = job();
    const run = told && told.run;
    const { words, kind, share } = standing(one, run);
    const key = JSON.stringify([words, kind, share, one && [one.id, one.state, one.held, one.stopping], told && told.error]);
    if (node.dataset.drawn === key) return;
    node.dataset.drawn = key;
    const focus = node.contains(document.activeElement) ? document.activeElement.dataset.act : "";
    const progress = share === null ? [] : [make("progress", { max: "1", value: String(share), "aria-label": "how far the training is" })];
    node.replaceChildren(make("span", { class: `lsr-state lsr-${kind}`, role: "status" }, make("i", {}), words), ...progress, ...acts(one), ...trouble());
    if (focus) (node.querySelector(`[data-act="${focus}"]`) || node.querySelector("button:not(:disabled)") || node).focus();
  }

  function standing(one, run) {
    if (one && one.state === "running") {
      const count = one.total ? `${one.done} of ${one.total}` : "";
      const what = one.stopping ? "is stopping at its last saved state …" : one.stage === "train" && run && one.total === run.steps ? `${count} steps, ${one.note}` : `${one.stage} ${count} ${one.note}`;
      return { words: `${one.name ? `${one.name}: ` : ""}${what}`, kind: "running", share: one.total ? one.done / one.total : null };
    }
    if (one && one.held) return { words: "Paused. It keeps its place in the queue, and goes on from its last saved state.", kind: "begun", share: null };
    if (one) return { words: told && told.job && told.job.paused_line ? "Waiting: the queue is paused (Queue page)." : "Waiting its turn in the queue.", kind: "begun", share: null };
    if (run && run.state === "at work") return { words: `Run ${run.run} is trained by another lorasmith, in a terminal or window of its own: stop it there; it can go on here afterwards.`, kind: "running", share: run.steps ? run.step / run.steps : null };
    if (run && run.state === "stopped") return { words: `Run ${run.run} stopped at step ${run.step} of ${run.steps || "?"}; started with the same settings and pictures it goes on there.`, kind: "begun", share: null };
    if (run) return { words: `Run ${run.run} has ended.`, kind: "done", share: null };
    return { words: told ? "Not trained yet." : "…", kind: "ready", share: null };
  }

  function acts(one) {
    const act = (name, words, title, what) => button(words, what, { "data-act": name, title, ...(name === "start" ? { class: "lsr-primary" } : {}) });
    const queue = (name) => async () => { await post(`api/queue/${name}`, { job: one.id }); again(); };
    const elsewhere = told && told.run && told.run.state === "at work" && !one;
    const start = document.getElementById("ls-start-train");
    if (!one) return elsewhere || !start ? [] : [act("start", told && told.run && told.run.state === "stopped" ? "Start / go on" : "Start", "puts the training in the queue", () => start.click())];
    const cancel = act("cancel", "Cancel", "takes it out of the queue; what it saved stays, and Start goes on from there", queue("cancel"));
    const pause = one.held ? act("pause", "Go on", "lets it have its turn again", queue("resume")) : act("pause", "Pause", "stops it at its last saved state; it keeps its place in the queue", queue("hold"));
    for (const each of [pause, cancel]) each.disabled = Boolean(one.stopping);
    return [pause, cancel];
  }

  function trouble() {
    return told && told.error ? [make("p", { class: "lsr-fault", role: "alert" }, told.error)] : [];
  }

  // ---- the form

  const column = () => { const line = document.querySelector('[data-ls="stage"][data-stage="train"]'); return line && line.closest(".ls-form"); };

  // Leads to a field of the form, out of the fold if it is there.
  function field(name) {
    const node = column() && column().querySelector(`.ls-field-${name}`);
    const input = node && node.querySelector("input, textarea");
    if (!input) {
      const fold = column() && Array.from(column().querySelectorAll("button.label-wrap")).find((one) => /more settings/.test(one.textContent) && !one.classList.contains("open"));
      if (!fold) return;
      fold.click();
      setTimeout(() => field(name), 250);
      return;
    }
    if (node.offsetParent === null) Array.from(column().querySelectorAll("button.label-wrap")).forEach((one) => { if (!one.classList.contains("open")) one.click(); });
    node.scrollIntoView({ block: "center" });
    input.focus();
    node.classList.add("lsr-here");
    setTimeout(() => node.classList.remove("lsr-here"), 2500);
  }

  // ---- the preset

  async function preset(settings) {
    const place = document.querySelector('[data-ls-own="train-preset"]');
    if (!place) return;
    if (settings.error) {
      place.replaceChildren(make("p", { class: "lsr-fault", role: "alert" }, settings.error));
      delete place.dataset.drawn;
      return;
    }
    if (!place.querySelector("select")) presetShell(place);
    const select = place.querySelector("select");
    const key = JSON.stringify([form, Boolean(back)]);
    if (place.dataset.drawn === key) return;
    place.dataset.drawn = key;
    const open = select.value && place.dataset.touched ? select.value : form.preset;
    const none = form.preset ? [] : [make("option", { value: "" }, "none")];
    select.replaceChildren(...none, ...form.presets.map((one) => make("option", { value: one.name, title: one.note }, one.name + (one.name === form.preset ? " (holds)" : ""))));
    select.value = open;
    showPreset(place);
  }

  function presetShell(place) {
    const select = make("select", { id: "lsr-preset" });
    const all = make("input", { type: "checkbox", id: "lsr-all-else" });
    all.checked = true;
    select.addEventListener("change", () => { place.dataset.touched = "yes"; showPreset(place); });
    all.addEventListener("change", () => showPreset(place));
    place.replaceChildren(
      make("label", { for: "lsr-preset" }, "Preset"), select, make("p", { class: "lsr-note" }),
      make("div", { class: "lsr-preset-told", "aria-live": "polite" }), make("label", { class: "lsr-all" }, all, "also put back what was typed otherwise (not the base model, prompts, subsets, device)"),
      make("div", { class: "lsr-buttons" }),
    );
  }

  async function showPreset(place) {
    const [select, all] = [place.querySelector("select"), place.querySelector("#lsr-all-else")];
    const [note, node, buttons] = [place.querySelector(".lsr-note"), place.querySelector(".lsr-preset-told"), place.querySelector(".lsr-buttons")];
    const chosen = select.value;
    note.textContent = ((form.presets.find((one) => one.name === chosen) || {}).note || "").replace(/^The /, "The ");
    const same = chosen === form.preset;
    const undo = back ? [button("Put back", putBack, { title: "takes the last preset, or the rates that were taken over, back" })] : [];
    place.querySelector(".lsr-all").hidden = !chosen;
    if (!chosen) return void (node.replaceChildren(), buttons.replaceChildren(...undo));
    const also = all.checked;
    const found = await ask("preset", { preset: chosen, all_else: also ? "1" : "" });
    if (select.value !== chosen || all.checked !== also) return;
    if (found.error) return void node.replaceChildren(make("p", { class: "lsr-fault", role: "alert" }, found.error));
    const mine = found.changes.filter((one) => one.stage === "train");
    const others = found.changes.filter((one) => one.stage !== "train");
    place.querySelector(".lsr-all").hidden = same && !mine.length;
    const parts = [folded(`It sets ${plural(Object.keys(found.sets).length, "setting")}`, table(Object.entries(found.sets).map(([name, value]) => [spaced(name), worth(value)])))];
    if (mine.length) parts.push(make("h4", {}, same ? "Typed otherwise here:" : "It would change:"), table(mine.map((one) => [spaced(one.name), make("span", {}, make("s", {}, worth(one.now)), " → ", make("b", {}, worth(one.then)))])));
    else parts.push(make("p", { class: "lsr-soft" }, same ? "It holds; what you type below goes over it." : "The form has all that already."));
    if (others.length) parts.push(folded(`and ${plural(others.length, "setting")} of other stages`, table(others.map((one) => [`${one.stage}: ${spaced(one.name)}`, make("span", {}, make("s", {}, worth(one.now)), " → ", make("b", {}, worth(one.then)))]))));
    node.replaceChildren(...parts);
    const take = button(same ? "Put the form back to it" : "Take it into the form", async () => {
      delete place.dataset.touched;
      if (await change("preset", { preset: chosen, all_else: all.checked })) window.lorasmith.tell(`The preset ${chosen} holds now.`);
    }, { class: "lsr-primary" });
    take.disabled = same && !mine.length;
    buttons.replaceChildren(...(same && !mine.length ? [] : [take]), ...undo);
  }

  async function putBack() {
    const before = back;
    back = null;
    if (await change("back", { before })) window.lorasmith.tell("The settings are as they were before.");
    else back = before;
  }

  function folded(words, ...inside) {
    return make("details", {}, make("summary", {}, words), ...inside);
  }

  function table(rows) {
    return make("table", {}, make("tbody", {}, ...rows.map((row) => make("tr", {}, make("th", { scope: "row" }, row[0]), make("td", {}, row[1])))));
  }

  window.lorasmith.training = {
    ask, change, spaced, figure, worth, lasting, folded, go, again, field, putBack, drawers,
    look: () => look, told: () => told, form: () => form, back: () => back, job, place: () => shell,
  };
})();

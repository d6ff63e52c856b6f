// The Queue page: jobs of several projects put into the line at once, and sweeps, told before they are added.
(function () {
  "use strict";
  const { make, button, tell, project } = window.lorasmith;
  const { ask, send } = window.lorasmith.queue;
  const PAUSE = 250; // milliseconds without a key until the preview is asked
  let offer = null;
  let timer = 0;
  let mine = 0;

  window.lorasmith.queue.adding = async function (place) {
    if (place.firstElementChild && !place.querySelector(".lsq-fault")) return;
    offer = await ask("offer");
    if (offer.error) return void place.replaceChildren(make("p", { class: "lsq-fault", role: "alert" }, offer.error));
    build(place);
  };

  function build(place) {
    const projects = offer.projects.map((one) => {
      const tick = make("input", { type: "checkbox", value: one.id, name: "chosen" });
      tick.checked = one.id === project();
      return make("label", { title: one.folder }, tick, one.name, make("small", {}, one.folder));
    });
    const command = make("select", { id: "lsq-do" }, ...offer.commands.map((one) => make("option", { value: one }, one === "run" ? "run (all stages)" : one)));
    const names = make("datalist", { id: "lsq-settings" }, ...offer.settings.map((one) => make("option", { value: one.name }, one.help.slice(0, 90))));
    const sweep = make("fieldset", { class: "lsq-sweep" }, make("legend", {}, "Sweep: a training for each value; several settings make a grid"), names, make("div", { class: "lsq-axes" }), button("another setting", () => axis(place)));
    const preview = make("div", { class: "lsq-preview", "aria-live": "polite" });
    const add = make("button", { type: "submit", class: "lsq-primary", disabled: "" }, "Put into the line");
    const form = make("form", {}, make("fieldset", {}, make("legend", {}, "Projects"), make("div", { class: "lsq-projects" }, ...projects)), make("label", { for: "lsq-do", class: "lsq-do" }, "What", command), sweep, preview, add);
    form.addEventListener("input", () => later(form));
    form.addEventListener("submit", (event) => { event.preventDefault(); put(form); });
    place.replaceChildren(offer.projects.length ? form : make("p", { class: "lsq-soft" }, "Make or open a project first."));
    if (!offer.projects.length) return;
    axis(place);
    later(form);
  }

  function axis(place) {
    const name = make("input", { type: "text", list: "lsq-settings", placeholder: "setting, such as rank", "aria-label": "setting", autocomplete: "off", spellcheck: "false" });
    const values = make("input", { type: "text", placeholder: "values, such as 8, 16, 32", "aria-label": "values, with commas between them", autocomplete: "off" });
    const hint = make("small", {});
    name.addEventListener("input", () => { hint.textContent = (offer.settings.find((one) => one.name === name.value.trim()) || { help: "" }).help; });
    const row = make("div", { class: "lsq-axis" }, name, "=", values, button("×", () => { const form = row.closest("form"); row.remove(); later(form); }, { "aria-label": "take this setting out" }), hint);
    place.querySelector(".lsq-axes").append(row);
  }

  function wanted(form) {
    const sweep = Array.from(form.querySelectorAll(".lsq-axis")).map((row) => Array.from(row.querySelectorAll("input")).map((one) => one.value.trim())).filter(([name, values]) => name || values);
    return {
      chosen: Array.from(form.querySelectorAll('[name="chosen"]:checked')).map((one) => one.value), do: form.querySelector("#lsq-do").value,
      sweep: sweep.map(([name, values]) => `${name}=${values}`),
    };
  }

  function later(form) {
    form.querySelector(".lsq-sweep").hidden = form.querySelector("#lsq-do").value !== "train";
    form.querySelector('[type="submit"]').disabled = true;
    clearTimeout(timer);
    timer = setTimeout(() => preview(form), PAUSE);
  }

  async function preview(form) {
    const turn = ++mine;
    const place = form.querySelector(".lsq-preview");
    const { chosen, sweep, do: what } = wanted(form);
    if (!chosen.length) return void place.replaceChildren(make("p", { class: "lsq-soft" }, "Tick one project or more."));
    const words = [...chosen.map((one) => ["chosen", one]), ...(what === "train" ? sweep : []).map((one) => ["sweep", one]), ["do", what]];
    const found = await ask("preview", words);
    if (turn !== mine) return;
    if (found.error) return void place.replaceChildren(make("p", { class: "lsq-fault", role: "alert" }, found.error));
    const lists = found.rows.map((row) => make("li", {}, make("b", {}, row.project), ": ", row.jobs.join(" · ")));
    place.replaceChildren(make("p", {}, `${found.count} job${found.count === 1 ? "" : "s"}:`), make("ul", {}, ...lists));
    const add = form.querySelector('[type="submit"]');
    add.disabled = false;
    add.textContent = found.count === 1 ? "Put it into the line" : `Put ${found.count} into the line`;
  }

  async function put(form) {
    const body = wanted(form);
    if (body.do !== "train") body.sweep = [];
    const done = await send("add", body);
    if (!done) return;
    const there = done.added.filter((one) => one.note).length;
    tell(`${done.added.length - there} put into the line${there ? `, ${there} were in it already` : ""}.`);
  }
})();

// Side by side: this project's LoRA beside others, all runs of a sweep, and what the base model draws alone. Each is a command in the line.
(function () {
  "use strict";
  const { make, button, note, shown, post, tell } = window.lorasmith;
  const E = window.lorasmith.evaluate;
  const { two } = E;
  let shownOf = ""; // the comparison that was chosen

  E.drawers.beside = async function (node, one, all) {
    const shell = node.querySelector(".lse-beside") || mount(node);
    node.dataset.drawn = "";
    shell.loras(all.loras);
    await Promise.all([comparisons(shell, all), sweep(shell, all), base(shell, all)]);
  };

  function mount(node) {
    const shell = make("div", { class: "lse-beside" });
    const other = make("input", { type: "text", id: "lse-other", placeholder: "a path, such as /models/Lora/other.safetensors", spellcheck: "false", autocomplete: "off", list: "lse-loras" });
    const list = make("datalist", { id: "lse-loras" });
    shell.loras = (names) => { if (list.dataset.of !== names.join()) { list.dataset.of = names.join(); list.replaceChildren(...names.map((name) => make("option", { value: name }))); } };
    const form = make("form", { class: "lse-tools" }, make("label", { for: "lse-other" }, "Other LoRAs"), other, list, make("button", { type: "submit", class: "lse-primary" }, "Compare"));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (await start("against", { files: other.value.split(";").map((one) => one.trim()) })) shownOf = "";
    });
    shell.against = make("div", {});
    shell.sweep = make("div", {});
    shell.base = make("div", {});
    shell.append(
      make("section", {}, make("h3", {}, "Beside other LoRAs"), make("p", { class: "lse-soft" }, "The recommended LoRA of this project and others, over the same prompts and on the same seeds. Another epoch of this project is chosen by its name; several are named with ; between them."), form, shell.against),
      make("section", {}, make("h3", {}, "All runs of the project"), make("div", { class: "lse-tools" }, button("Evaluate all runs", () => start("sweep", {}))), shell.sweep),
      make("section", {}, make("h3", {}, "The base model alone"), make("p", { class: "lse-soft" }, "How well it draws the described character without any LoRA; from that a training strength is proposed."), make("div", { class: "lse-tools" }, button("Look at the base alone", () => start("base", {}))), shell.base),
    );
    node.replaceChildren(shell);
    return shell;
  }

  async function start(what, body) {
    const done = await post(`api/evaluate/${what}`, body);
    if (done) tell(`It is in the line as job ${done.job}; what it finds shows here when it has ended.`);
    return done;
  }

  function fill(node, key, inside) {
    const text = JSON.stringify(key);
    if (node.dataset.drawn === text) return;
    node.dataset.drawn = text;
    node.replaceChildren(...inside());
  }

  function table(heads, rows, label) {
    const cell = (value, at) => make(at ? "td" : "th", at ? { class: typeof value === "number" || value === null ? "ls-number" : "" } : { scope: "row" }, value === null ? "–" : value);
    const top = make("tr", {}, ...heads.map((head, at) => make("th", { scope: "col", class: at ? "ls-number" : "" }, head)));
    return make("div", { class: "ls-table" }, make("table", { "aria-label": label }, make("thead", {}, top), make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map((value, at) => cell(typeof value === "number" ? value : value, at)))))));
  }

  const link = (address, words) => make("a", { class: "lse-link", href: address, target: "_blank", rel: "noopener" }, words);

  async function comparisons(shell, all) {
    if (!all.comparisons.length) return fill(shell.against, "", () => [note("Nothing was compared yet.")]);
    if (!all.comparisons.includes(shownOf)) shownOf = all.comparisons[0];
    const name = shownOf;
    const found = await E.get("comparison", { name });
    if (name !== shownOf) return; // another was chosen meanwhile
    fill(shell.against, [found, all.comparisons], () => {
      if (found.error) return [note(found.error, "warn")];
      const choice = make("select", { "aria-label": "comparison" }, ...all.comparisons.map((name) => make("option", { value: name }, `comparison ${name}`)));
      choice.value = shownOf;
      choice.addEventListener("change", () => { shownOf = choice.value; E.again(); });
      const grids = found.grids.map(([kind, address]) => make("a", { href: address, "data-large": "", class: "lse-link" }, kind));
      return [make("div", { class: "lse-tools" }, choice, ...(found.report ? [link(found.report, "its report")] : [])), ...found.words.map((words) => make("p", {}, make("b", {}, words))),
        table(["", "without LoRA", ...found.names], found.lines, "LoRAs side by side"), ...(grids.length ? [make("p", { class: "lse-tools" }, "grids: ", ...grids)] : [])];
    });
  }

  async function sweep(shell, all) {
    if (!all.sweep) return fill(shell.sweep, all.runs, () => [note(all.runs < 2 ? `Two trainings or more are set side by side; ${all.runs || "none"} has ended so far.` : `${all.runs} trainings have ended and were not set side by side yet.`)]);
    const found = await E.get("sweep");
    fill(shell.sweep, found, () => {
      if (found.error) return [note(found.error, "warn")];
      const rows = found.runs.map((run) => [`${run.best ? "★ " : ""}run ${run.run}`, run.settings, run.epoch, run.weight, run.likeness, run.kept, run.leak, run.copies, E.verdict(run.bake)]);
      const plot = found.plot ? [make("a", { href: found.plot, "data-large": "" }, make("img", { class: "lse-chart", src: found.plot, alt: "likeness, obedience and leak of each run" }))] : [];
      return [make("p", {}, make("b", {}, found.advice)), table(["", "settings", "epoch", "weight", "likeness", "kept", "leak", "copies", ""], rows, "runs"), ...plot, ...(found.report ? [link(found.report, "the sweep's page")] : [])];
    });
  }

  async function base(shell, all) {
    if (!all.base) return fill(shell.base, "", () => [note("It was not looked at yet.")]);
    const found = await E.get("base");
    fill(shell.base, found, () => {
      if (found.error) return [note(found.error, "warn")];
      const same = found.strength === found.present;
      const take = button(`Train with strength ${found.strength}`, async () => { if (await post("api/evaluate/strength", { strength: found.strength })) { tell("It stands in lorasmith.toml; the next training takes it."); E.again(); } }, { class: "lse-primary" });
      const bars = found.by_tag.map(([tag, score]) => make("li", {}, make("span", {}, shown(tag)), make("i", { style: `--share:${score}` }), make("b", {}, two(score))));
      return [make("p", {}, make("b", {}, same ? `The strength ${found.present} that is set fits.` : `Strength ${found.strength} is proposed; ${found.present} is set.`)), ...found.reasons.map((words) => make("p", {}, words)), ...(same ? [] : [make("div", { class: "lse-tools" }, take)]), make("h4", {}, "What the base draws of each own look when it is told"), make("ul", { class: "lse-bars" }, ...bars)];
    });
  }
})();

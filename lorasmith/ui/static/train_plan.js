// The Train page before a training: what would stop or spoil it, the learning-rate calculator, and the buckets.
(function () {
  "use strict";
  const { make, button, plural, tell } = window.lorasmith;
  const t = window.lorasmith.training;
  const PAUSE = 150; // milliseconds without a key until rates are worked out
  const MARKS = { error: "✕", warning: "!", note: "i" };
  const HEADS = { error: "stops it", warning: "may spoil it", note: "good to know" };
  // What is tried: name, label, what it is, and how it is stepped.
  const FIELDS = [
    ["strength", "strength S", "1.1 for anime bases, 1.2 and more for unusual bodies", { step: "0.05" }],
    ["repeats", "repeats R", "times each picture is seen in an epoch", { step: "1" }],
    ["epochs", "epochs E", "passes over the set", { step: "1" }],
    ["batch_size", "batch size", "pictures per step", { step: "1" }],
    ["unet_lr", "U-Net rate", "empty: the rule", {}],
    ["text_encoder_lr", "text encoder rate", "empty: the share; 0 leaves it untrained", {}],
    ["text_encoder_share", "text encoder share", "of the U-Net's rate", { step: "0.05" }],
  ];
  let tried = {}; // what was typed and not taken over yet
  let asked = 0;
  let timer = 0;
  let last = null; // the last answer that could be worked out

  t.drawers.plan = async function (node) {
    if (!node.querySelector(".lsr-check")) build(node);
    await Promise.all([check(node), rates(node)]);
  };

  function build(node) {
    const inputs = FIELDS.map(([name, label, hint, more]) => {
      const input = make("input", { id: `lsr-${name}`, name, type: "text", inputmode: "decimal", autocomplete: "off", "aria-describedby": `lsr-hint-${name}` });
      input.addEventListener("input", () => { tried[name] = input.value; later(node); });
      input.addEventListener("keydown", (event) => stepped(event, input, more.step));
      return make("div", { class: "lsr-field" }, make("label", { for: `lsr-${name}` }, label), input, make("small", { id: `lsr-hint-${name}` }, hint));
    });
    const range = make("input", { type: "range", min: "0.1", max: "4", step: "0.05", class: "lsr-range", "aria-label": "strength S" });
    range.addEventListener("input", () => { put(node, "strength", range.value); later(node); });
    inputs[0].append(range);
    const calculator = make("form", { class: "lsr-rates", "aria-label": "learning-rate calculator" },
      make("div", { class: "lsr-tried" }, ...inputs),
      make("div", { class: "lsr-come" }, make("p", { class: "lsr-rule" }), make("dl", { class: "lsr-figures", "aria-live": "polite" }), make("p", { class: "lsr-fault", role: "alert", hidden: "" }), make("div", { class: "lsr-buttons" })));
    calculator.addEventListener("submit", (event) => { event.preventDefault(); use(node); });
    node.replaceChildren(
      make("section", { class: "lsr-check" }, make("h3", {}, "Ready?"), make("div", { class: "lsr-found", "aria-live": "polite" }, make("p", { class: "lsr-soft" }, "Looking at pictures, captions and base model …"))),
      make("section", {}, make("h3", {}, "Learning rates: L = S / (R · E · I)"), calculator),
      make("section", {}, make("h3", {}, "Buckets"), make("div", { class: "lsr-buckets" })),
    );
  }

  // ---- what check says

  async function check(node) {
    const found = await t.ask("plan");
    const place = node.querySelector(".lsr-found");
    if (!place) return;
    if (found.error) return void (delete place.dataset.drawn, place.replaceChildren(make("p", { class: "lsr-fault", role: "alert" }, found.error)));
    const key = JSON.stringify(found);
    if (place.dataset.drawn === key) return;
    place.dataset.drawn = key;
    const count = (kind) => found.findings.filter((one) => one.kind === kind).length;
    const [errors, warnings] = [count("error"), count("warning")];
    const head = make("p", { class: `lsr-verdict lsr-${errors ? "no" : "yes"}` }, errors ? `Not yet: ${errors === 1 ? "one thing stops" : `${errors} things stop`} a training.` : `It can train${warnings ? `; ${plural(warnings, "thing")} may spoil it` : ""}.`);
    const facts = [found.pictures ? plural(found.pictures, "picture") : "", found.base || ""].filter(Boolean).join(" · ");
    const list = make("ul", { class: "lsr-findings" }, ...found.findings.map(finding));
    const captions = (found.captions || []).length ? [t.folded("Captions as they will be trained", make("ul", { class: "lsr-captions" }, ...found.captions.map((one) => make("li", {}, one || "(empty)"))))] : [];
    place.replaceChildren(head, ...(facts ? [make("p", { class: "lsr-soft" }, facts)] : []), list, ...captions);
  }

  function finding(one) {
    const { words, page, setting } = one.advice;
    const mark = make("span", { class: "lsr-mark", title: HEADS[one.kind] }, make("b", { "aria-hidden": "true" }, MARKS[one.kind]), make("span", { class: "lsr-hidden" }, `${HEADS[one.kind]}: `));
    const lead = page === "train" && setting ? button(`to ${t.spaced(setting)}`, () => t.field(setting)) : page && page !== "train" ? make("button", { type: "button", "data-go": page }, `to ${page}`) : null;
    return make("li", { class: `lsr-${one.kind}` }, mark, make("div", {}, make("p", {}, one.words), ...(words ? [make("p", { class: "lsr-do" }, words)] : [])), ...(lead ? [lead] : []));
  }

  // ---- the calculator

  function put(node, name, value) {
    tried[name] = value;
    node.querySelector(`#lsr-${name}`).value = value;
  }

  // Arrow keys step a number as in a number field, which would not take "1e-4" in every browser.
  function stepped(event, input, step) {
    const way = { ArrowUp: 1, ArrowDown: -1 }[event.key];
    const now = Number(input.value.replace(",", "."));
    if (!way || !step || !input.value.trim() || Number.isNaN(now)) return;
    event.preventDefault();
    input.value = String(Math.max(0, Math.round((now + way * Number(step)) * 1000) / 1000));
    input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  function later(node) {
    clearTimeout(timer);
    timer = setTimeout(() => rates(node), PAUSE);
  }

  const typed = (value) => (value === null || value === undefined ? "" : t.figure(value, 6));

  async function rates(node) {
    const mine = ++asked;
    const found = await t.ask("rates", tried);
    if (mine !== asked || !node.querySelector(".lsr-rates")) return;
    const fault = node.querySelector(".lsr-rates .lsr-fault");
    fault.hidden = !found.error;
    fault.textContent = found.error || "";
    node.querySelector(".lsr-come").classList.toggle("lsr-stale", Boolean(found.error));
    if (!found.error) last = found;
    const set = found.set || (t.form() || {}).set;
    for (const name of Object.keys(tried)) if (set && same(tried[name], set[name])) delete tried[name];
    for (const [name] of FIELDS) {
      const input = node.querySelector(`#lsr-${name}`);
      const differs = name in tried;
      if (!differs && set && document.activeElement !== input) input.value = typed(set[name]);
      input.classList.toggle("lsr-differs", differs);
    }
    buttons(node, Boolean(found.error));
    node.querySelector(".lsr-range").value = node.querySelector("#lsr-strength").value.replace(",", ".") || "1.1";
    if (found.error || !last) {
      if (!last) node.querySelector(".lsr-buckets").replaceChildren(make("p", { class: "lsr-soft" }, found.error || ""));
      return;
    }
    figures(node, found);
    buckets(node.querySelector(".lsr-buckets"), found);
  }

  function same(text, value) {
    if (value === null || value === undefined) return text.trim() === "";
    return text.trim() !== "" && Number(text.replace(",", ".")) === value;
  }

  function figures(node, found) {
    const mean = Number.isInteger(found.repeats) ? "" : " on the mean";
    const product = `${t.figure(found.repeats)}${mean} · ${found.epochs} · ${found.images}`;
    const rule = found.own_rate ? "This optimizer finds its own rate: the rule is not asked." : found.strength_meant !== null ? `The U-Net's rate is set: ${t.figure(found.unet_lr)}, which is S = ${t.figure(found.strength_meant)} with R · E · I = ${product}.` : `L = ${t.figure(found.strength)} / (${product}) = ${t.figure(found.unet_lr)}`;
    node.querySelector(".lsr-rule").textContent = rule;
    const time = found.minutes === null ? "told after a first run of this base and size" : `about ${t.lasting(found.minutes * 60)}`;
    const rows = [
      ["U-Net", t.figure(found.unet_lr)], ["text encoder", found.text_encoder_lr ? t.figure(found.text_encoder_lr) : "not trained"],
      ["images seen", found.images_seen.toLocaleString("en")], ["steps", `${found.steps.toLocaleString("en")} (${found.steps_per_epoch.toLocaleString("en")} an epoch)`],
      ["time", time], ["pictures", found.held_out ? `${found.pictures}, and ${found.held_out} held out` : String(found.pictures)],
    ];
    node.querySelector(".lsr-figures").replaceChildren(...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
  }

  function buttons(node, faulty) {
    const changed = Object.keys(tried).length;
    const take = make("button", { type: "submit", class: "lsr-primary", title: "writes them into the form and lorasmith.toml" }, "Use these");
    take.disabled = !changed || faulty;
    const reset = button("As they are set", () => { tried = {}; document.activeElement.blur(); rates(node); });
    reset.disabled = !changed;
    const undo = t.back() ? [button("Put back", t.putBack, { title: "takes what was last taken over back" })] : [];
    const place = node.querySelector(".lsr-come .lsr-buttons");
    const key = `${changed}${faulty}${undo.length}`;
    if (place.dataset.drawn === key) return;
    place.dataset.drawn = key;
    place.replaceChildren(take, reset, ...undo);
  }

  async function use(node) {
    const values = { ...tried };
    if (!Object.keys(values).length) return;
    const done = await t.change("use", { values });
    if (!done) return;
    tried = {};
    tell("They stand in the form and in lorasmith.toml now.");
    rates(node);
  }

  // ---- the buckets

  function buckets(place, found) {
    const key = JSON.stringify(found.buckets);
    if (place.dataset.drawn === key) return;
    place.dataset.drawn = key;
    const most = Math.max(...found.buckets.map((row) => row.pictures));
    const rows = found.buckets.map((row) => {
      const [width, height] = row.bucket.split("x").map(Number);
      const side = 22 / Math.max(width, height);
      const shape = make("i", { class: "lsr-shape", style: `width:${(width * side).toFixed(1)}px;height:${(height * side).toFixed(1)}px`, "aria-hidden": "true" });
      const length = make("i", { class: "lsr-length", style: `width:${((100 * row.pictures) / most).toFixed(1)}%`, "aria-hidden": "true" });
      const warn = (bad, words) => make("td", { class: `ls-number${bad ? " lsr-much" : ""}`, ...(bad ? { title: "much" } : {}) }, words);
      return make("tr", {}, make("th", { scope: "row" }, make("span", { class: "lsr-bucket" }, make("span", { class: "lsr-frame" }, shape), row.bucket.replace("x", " × "))),
        make("td", { class: "lsr-many" }, make("span", {}, length), make("b", {}, row.pictures.toLocaleString("en"))), make("td", { class: "ls-number" }, row.draws.toLocaleString("en")),
        warn(row.cut > found.heavy_cut, percent(row.cut)), warn(row.most_cut > found.heavy_cut, percent(row.most_cut)), warn(row.enlarged > found.much_enlarged, row.enlarged > 1 ? `${row.enlarged} ×` : "no"));
    });
    const heads = [["bucket", ""], ["pictures", ""], ["seen an epoch", "ls-number"], ["cut off, mean", "ls-number"], ["cut off, most", "ls-number"], ["enlarged, most", "ls-number"]];
    const warned = found.buckets.some((row) => row.most_cut > found.heavy_cut || row.enlarged > found.much_enlarged);
    const help = warned ? [make("p", { class: "lsr-soft" }, "Marked: more than a fifth of a picture is cut off, or it is enlarged by more than a quarter. Crop such pictures on ", make("button", { type: "button", "data-go": "prepare" }, "prepare"), ".")] : [];
    place.replaceChildren(make("div", { class: "ls-table", tabindex: "0", role: "region", "aria-label": "pictures by bucket" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map(([words, mark]) => make("th", { scope: "col", class: mark }, words)))), make("tbody", {}, ...rows))), ...help);
  }

  const percent = (share) => `${(100 * share).toFixed(share && share < 0.1 ? 1 : 0)} %`;
})();

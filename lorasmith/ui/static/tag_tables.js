// The other parts of the Tag page: thresholds tried, looks and outfits, the audit, and where the site and the taggers are at odds.
(function () {
  "use strict";
  const { make, button, note, plural, percent, shown, tell } = window.lorasmith;
  const { ask, send, go, quoted, listed, offering, undo, propose, drawers, again } = window.lorasmith.tags;
  const waiting = (node) => { if (!node.querySelector(".lst-ready")) node.replaceChildren(note("Looking …")); };

  const NUMBERS = ["pictures", "share", "lift", "mean score"];

  function table(heads, rows, label) {
    const top = make("tr", {}, ...heads.map((head) => make("th", { scope: "col", ...(NUMBERS.includes(head) ? { class: "ls-number" } : {}) }, head)));
    return make("div", { class: "ls-table lst-ready" }, make("table", { "aria-label": label }, make("thead", {}, top), make("tbody", {}, ...rows)));
  }

  const cell = (inside, kind) => make("td", kind ? { class: kind } : {}, inside === null || inside === undefined ? "" : inside);
  const number = (value) => cell(String(value), "ls-number");
  const row = (...cells) => make("tr", {}, ...cells.map((one) => (one instanceof HTMLTableCellElement ? one : cell(one))));

  // ---- thresholds

  drawers.thresholds = async function (node, same) {
    if (same && node.querySelector(".lst-trial")) return;
    waiting(node);
    const first = await ask("trial", {});
    if (same && node.querySelector(".lst-trial")) return;
    if (first.error) return node.replaceChildren(note(first.error, "warn"));
    const of = make("input", { type: "text", id: "lst-for", placeholder: "all tags", autocomplete: "off", spellcheck: "false" });
    const slider = make("input", { type: "range", min: "0", max: "1", step: "0.01", id: "lst-least", value: String(first.threshold) });
    const exact = make("input", { type: "number", min: "0", max: "1", step: "0.01", "aria-label": "threshold as a number", value: String(first.threshold) });
    const told = make("p", { role: "status", class: "lst-told" });
    const found = make("div", { class: "lst-sides" });
    const set = button("Set it", keep, { class: "lst-primary" });
    let mine = 0;
    let timer = 0;

    async function attempt() {
      const turn = ++mine;
      const what = of.value.trim().replaceAll(" ", "_");
      const answer = await ask("trial", { threshold: exact.value, for: what });
      if (turn !== mine) return;
      set.disabled = Boolean(answer.error);
      if (answer.error) return told.replaceChildren(answer.error);
      const now = Object.entries(answer.now).map(([tagger, value]) => `${tagger} ${value}`).join(", ");
      const from = what ? (now ? `${shown(what)} now counts from ${now}.` : `No tagger knows a tag '${shown(what)}'; as a category it holds for all its tags.`) : answer.threshold ? `Now ${answer.threshold} for all tags.` : "Now each model's own.";
      const general = !what && Number(exact.value) === 0 ? " 0 leaves it to each model's own card." : "";
      told.replaceChildren(make("b", {}, answer.pictures ? `${plural(answer.pictures, "picture")} would change. ` : "Nothing would change. "), from + general);
      found.replaceChildren(side("Would join", "+", answer.joining, answer.joining_tags), side("Would leave", "−", answer.leaving, answer.leaving_tags));
    }

    function side(words, mark, changes, all) {
      const rows = changes.map((one) => row(make("span", { class: mark === "+" ? "lst-plus" : "lst-minus" }, `${mark} ${shown(one.tag)}`), number(one.pictures), make("span", {}, ...one.names.slice(0, 4).flatMap((name) => [button(name, () => window.lorasmith.tags.picture(name), { class: "lst-tag" }), " "]))));
      const more = all > changes.length ? `, the commonest ${changes.length} here` : "";
      return make("section", {}, make("h4", {}, `${words}: ${plural(all, "tag")}${more}`), ...(rows.length ? [table(["tag", "pictures", "such as"], rows, words)] : []));
    }

    async function keep() {
      const done = await send("threshold", { threshold: exact.value, for: of.value.trim().replaceAll(" ", "_") });
      if (!done) return;
      tell("The threshold stands in lorasmith.toml; start tag to write the captions.");
      await attempt();
    }

    const later = () => { clearTimeout(timer); timer = setTimeout(attempt, 60); };
    slider.addEventListener("input", () => { exact.value = slider.value; later(); });
    exact.addEventListener("input", () => { slider.value = exact.value; later(); });
    of.addEventListener("change", later);
    of.addEventListener("input", later);
    offering(of, { word: /.*$/, pick: shown, after: attempt });
    const lines = first.lines.length ? make("p", { class: "ls-help" }, `Set for single tags and categories: ${first.lines.join("; ")}`) : "";
    node.replaceChildren(
      note(`What ${first.taggers.join(" and ")} scored stays as it is: another threshold is another question, and nothing is written until you set it. Of tags that exclude each other the stronger stays.`),
      make("div", { class: "lst-trial lst-ready" }, make("label", { for: "lst-for" }, "For"), of, make("label", { for: "lst-least" }, "scores count from"), slider, exact, set), told, found, lines,
    );
    await attempt();
  };

  // ---- looks and outfits

  drawers.looks = async function (node, same) {
    if (same && node.querySelector(".lst-begun")) return; // ticks and words that are not yet put stay
    const before = node.querySelector(".lst-set");
    waiting(node);
    const found = await ask("consolidation", { set: before ? before.value : "" });
    if (same && node.querySelector(".lst-begun")) return; // what was begun since then stays too
    if (found.error) return node.replaceChildren(note(found.error, "warn"));
    const choice = make("select", { class: "lst-set", "aria-label": "caption set" }, ...found.sets.map((one) => make("option", { value: one.name }, `${one.name}${one.trained_on ? " (trained on)" : ""}: ${one.family}`)));
    choice.value = found.caption_set;
    choice.addEventListener("change", () => drawers.looks(node, false));
    const suggested = new Set(found.core.map((one) => one.tag));
    const now = new Set(found.by_hand ? found.now : [...suggested]);
    const ticks = [];
    const rows = [...found.core, ...found.stays].map((one) => {
      const tick = make("input", { type: "checkbox", "aria-label": `${shown(one.tag)} under the trigger`, "data-tag": one.tag });
      tick.checked = now.has(one.tag);
      ticks.push(tick);
      const lift = one.lift === null ? "" : `${one.lift.toPrecision(3)} ×`;
      return row(tick, button(shown(one.tag), () => go({ part: "pictures", where: quoted(one.tag) }), { class: "lst-tag" }), make("span", { class: `lst-kind lst-kind-${one.kind}` }, one.kind), number(percent(one.share)), cell(lift, "ls-number"), one.why);
    });
    const put = async (body, words) => { if (await send("consolidate", { set: choice.value, ...body })) { tell(words); anew(node); } };
    const keep = button("Put the ticked under the trigger", () => put({
      core: ticks.filter((one) => one.checked && !suggested.has(one.dataset.tag)).map((one) => one.dataset.tag),
      leave: ticks.filter((one) => !one.checked && suggested.has(one.dataset.tag)).map((one) => one.dataset.tag),
    }, "The looks are under the trigger; start tag to write the captions."), { class: "lst-primary" });
    const leave = button("Leave it to tag", () => put({ none: true }, "Tag decides by itself again."));
    const state = found.by_hand ? `Set by hand: ${found.now.map(shown).join(", ") || "nothing"}.` : `Not set by hand: tag decides.${found.now.length ? ` Last it took: ${found.now.map(shown).join(", ")}.` : ""}`;
    const toggles = found.toggles.map((one) => row(button(shown(one.value), () => go({ part: "pictures", where: quoted(one.value) }), { class: "lst-tag" }), number(one.pictures), number(percent(one.share)), one.advice || "well spread"));
    node.replaceChildren(
      make("div", { class: "lst-tools lst-ready" }, make("label", {}, "Caption set ", choice), keep, leave, button("undo", undo)),
      note(`${state} Of ${plural(found.pictures, "picture")}; a crop counts with the one it was cut from.`),
      table(["under", "tag", "kind", "share", "lift", "why"], rows, "looks"),
      make("section", {}, make("h3", {}, "Outfits"), ...outfits(found, choice, node)),
      ...(toggles.length ? [make("section", {}, make("h3", {}, "Toggles"), table(["toggle", "pictures", "share", "what to do"], toggles, "toggles"))] : []),
    );
    for (const one of node.querySelectorAll("input")) one.addEventListener("input", () => one.classList.add("lst-begun"));
  };

  function anew(node) {
    for (const one of node.querySelectorAll(".lst-begun")) one.classList.remove("lst-begun");
    again();
  }

  function outfits(found, choice, node) {
    const name = make("input", { type: "text", "aria-label": "the outfit's own word", placeholder: "a new word, such as nameshirt", spellcheck: "false" });
    const tags = make("input", { type: "text", class: "lst-words", "aria-label": "the tags it stands for", placeholder: "its tags, with commas between them", spellcheck: "false" });
    const told = make("p", { role: "status" });
    const body = () => ({ outfit: name.value, words: listed(tags.value), set: choice.value });
    const look = async () => {
      const done = await send("outfit-preview", body());
      if (done) told.replaceChildren(`${shown(done.outfit)} would stand for ${done.tags.map(shown).join(", ")} on ${plural(done.pictures, "picture")}: `, ...done.shown_on.slice(0, 12).flatMap((one) => [button(one, () => window.lorasmith.tags.picture(one), { class: "lst-tag" }), " "]));
    };
    const put = async (wanted) => { if (await send("outfit", wanted)) { tell("The outfit is set; start tag to write the captions."); anew(node); } };
    const form = make("form", { class: "lst-edit" }, name, "stands for", tags, make("button", { type: "submit" }, "Preview"), button("Gather", () => put(body()), { class: "lst-primary" }));
    form.addEventListener("submit", (event) => { event.preventDefault(); look(); });
    const there = Object.entries(found.outfits).map(([outfit, its]) => make("p", {}, make("b", {}, shown(outfit)), ` stands for ${its.map(shown).join(", ")} `, button("give up", () => put({ outfit, words: [], set: choice.value }))));
    const worn = found.worn_together.map((its) => make("p", {}, `worn together: ${its.map(shown).join(", ")} `, button("gather …", () => { tags.value = its.map(shown).join(", "); name.focus(); look(); })));
    queueMicrotask(() => offering(tags, { word: /[^,]*$/, pick: shown }));
    return [...there, ...worn, form, told];
  }

  // ---- what to look at

  drawers.audit = async function (node) {
    waiting(node);
    const found = await ask("audit", {});
    if (found.error) return node.replaceChildren(note(found.error, "warn"));
    const rows = found.findings.map((one) => row(make("b", {}, one.kind), one.what, number(one.pictures), one.advice, one.where && one.kind !== "orphan" ? button("show", () => go({ part: "pictures", where: one.where }), { "aria-label": `show the pictures: ${one.what}` }) : ""));
    const parts = [["constant", "On nearly all pictures"], ["variable", "On some"], ["rare", "On one or two"]].map(([part, words]) => make("details", {}, make("summary", {}, `${words}: ${plural(found[part].length, "tag")}`), make("p", {}, ...found[part].flatMap(([tag, count]) => [button(`${shown(tag)} (${count})`, () => go({ part: "pictures", where: quoted(tag) }), { class: "lst-tag" }), " "]))));
    node.replaceChildren(
      rows.length ? table(["kind", "what", "pictures", "what to do", ""], rows, "what to look at") : make("div", { class: "lst-ready" }, note("Nothing to look at: every question is answered.")),
      ...(found.more ? [note(`and ${found.more} more`)] : []), make("section", {}, make("h3", {}, "How often tags are there, but for what the trigger stands for"), ...parts),
    );
  };

  const KINDS = { denied: "the site says it, the tagger does not see it", unsaid: "the tagger is sure, the site does not say it", differ: "one tagger is sure, another sees none of it" };

  drawers.disagreements = async function (node) {
    waiting(node);
    const found = await ask("disagreements", {});
    if (found.error) return node.replaceChildren(note(found.error, "warn"));
    const rows = found.rows.map((one) => {
      const edit = one.kind === "denied" ? ["remove", "take it out …"] : ["add", "add it …"];
      return row(KINDS[one.kind], make("b", {}, shown(one.tag)), number(one.pictures), number(percent(one.score)), make("span", { class: "lst-tools" }, button("show", () => go({ part: "pictures", where: one.where }), { "aria-label": `show the pictures with ${shown(one.tag)} in doubt` }), button(edit[1], () => propose(edit[0], [shown(one.tag)], one.names, one.where))));
    });
    node.replaceChildren(
      rows.length ? table(["who says what", "tag", "pictures", "mean score", ""], rows, "where the site and the taggers are at odds") : make("div", { class: "lst-ready" }, note("The site's tags and the taggers agree, or no tagger has looked yet.")),
      ...(found.more ? [note(`and ${found.more} more`)] : []),
    );
  };
})();

// Beside the pictures of the Prune page: twins with the one that is kept, and what choosing the best so many would do.
(function () {
  "use strict";
  const { make, button, shown, post, tell } = window.lorasmith;
  const P = window.lorasmith.prune;
  let page = 1;
  let twinsTurn = 0;
  let bestTurn = 0;
  let wish = ""; // how many pictures a person typed
  let held = null; // the preview that is shown, with its place

  // ---- twins

  P.drawTwins = async function (node) {
    if (node.dataset.drawn !== "twins") {
      node.dataset.drawn = "twins";
      node.replaceChildren(make("p", { class: "ls-note" }, "Twins are looked for …"));
      follow(node);
    }
    const mine = ++twinsTurn; // a late answer does not take the place of a newer one
    const found = await P.get("families", { page });
    if (mine !== twinsTurn || node.dataset.drawn !== "twins") return;
    if (found.error) return node.replaceChildren(make("p", { class: "ls-note warn", role: "alert" }, found.error));
    page = found.page;
    const focused = node.contains(document.activeElement) ? document.activeElement.dataset.of : null;
    const rows = found.families.map((family) => row(family));
    const none = found.total ? [] : [make("p", { class: "ls-note" }, "No twins among the pictures that were measured.")];
    const help = make("p", { class: "lsp-hint" }, "★ is what prune would keep, with the reason. Your word wins: one click keeps another instead.");
    node.replaceChildren(help, ...none, ...rows, ...pager(found, node));
    const again = focused && [...node.querySelectorAll("[data-of]")].find((one) => one.dataset.of === focused);
    if (again) again.focus();
  };

  function follow(node) {
    if (node.dataset.follows) return;
    node.dataset.follows = "yes";
    P.root().addEventListener("lsp-fresh", () => { if (!node.hidden && node.dataset.drawn === "twins") P.drawTwins(node); });
  }

  function row(family) {
    const kept = family.members.filter((one) => one.verdict !== "drop").map((one) => one.name);
    const tiles = family.members.map((one) => {
      const star = one.name === family.best ? "★ " : "";
      const lines = [make("span", { class: "lsp-beside" }, star + one.beside)];
      const tile = P.tile(one, ...lines);
      const others = kept.filter((name) => name !== one.name);
      if (one.verdict === "drop" && others.length) {
        const swap = button("Keep this one instead", () => P.say("swap", { kept: one.name, dropped: others }), { class: "lsp-swap", "data-of": one.name });
        tile.append(swap);
      }
      tile.querySelector(".ls-opener").tabIndex = 0;
      tile.addEventListener("click", (event) => {
        const verdict = event.target.closest("[data-decide]");
        if (verdict) P.say("decide", { names: [one.name], verdict: verdict.dataset.decide });
        else if (event.target.closest(".ls-opener")) P.picture(one.name, family.members.map((each) => each.name));
        event.stopPropagation();
      });
      tile.querySelectorAll("[data-decide]").forEach((each) => { each.tabIndex = 0; });
      if (one.verdict !== "drop") tile.classList.add("lsp-kept");
      return tile;
    });
    const words = family.kind === "twins" ? "The same picture, or nearly" : "Versions of one work";
    const count = kept.length === 1 ? `${kept[0]} is kept` : `${kept.length} are kept`;
    return make("section", { class: "lsp-family" }, make("h4", {}, `${words}: ${family.members.length} pictures, ${count}`), make("div", { class: "ls-wall" }, ...tiles));
  }

  function pager(found, node) {
    if (found.pages < 2) return [];
    const go = (to, label, aria) => button(label, () => { page = to; P.drawTwins(node).then(() => node.scrollIntoView({ block: "start" })); }, { "aria-label": aria, ...(to < 1 || to > found.pages ? { disabled: "" } : {}) });
    return [make("nav", { class: "lsp-pager" }, go(found.page - 1, "‹", "page before"), make("span", {}, `${found.page} of ${found.pages}`), go(found.page + 1, "›", "next page"))];
  }

  // ---- the best so many

  P.drawBest = function (node) {
    if (node.dataset.drawn === "best") return;
    node.dataset.drawn = "best";
    const size = make("input", { type: "number", min: "1", max: "10000", value: wish || "80", id: "lsp-size" });
    size.addEventListener("input", () => { wish = size.value; });
    size.addEventListener("keydown", (event) => { if (event.key === "Enter") look(size.value); });
    held = make("div", { class: "lsp-preview", role: "status" });
    const form = make("div", { class: "lsp-best" }, make("label", { for: "lsp-size" }, "How many pictures should stay?"), size,
      button("Preview", () => look(size.value), { class: "lsp-primary" }),
      button("All that are fit", () => look("0"), { title: "no number: prune keeps all that nothing speaks against" }));
    const help = make("p", { class: "lsp-hint" }, "The best in quality, spread over what the character wears, how it is seen and who drew it. Your own keeps always stay. Nothing changes before you say so.");
    node.replaceChildren(help, form, held);
    size.focus();
  };

  async function look(to) {
    const place = held;
    place.replaceChildren(make("p", { class: "ls-note" }, "What would leave is worked out …"));
    const mine = ++bestTurn;
    const found = await P.get("best", { to });
    if (place !== held || mine !== bestTurn) return;
    if (found.error) return place.replaceChildren(make("p", { class: "ls-note warn", role: "alert" }, found.error));
    const changes = found.leaves + found.comes;
    const sum = `${found.kept_now} of ${found.pictures} are kept now. ${found.leaves} would leave, ${found.comes} would come back, ${found.kept_then} would stay.`;
    const parts = [make("p", { class: "lsp-sum" }, sum)];
    if (found.to && found.kept_then > found.to && !found.unmeasured) parts.push(make("p", { class: "lsp-hint" }, `More than ${found.to}, for you kept some by hand.`));
    if (found.unmeasured) parts.push(make("p", { class: "lsp-hint" }, `${found.unmeasured} pictures were not looked at yet: start prune first, to see what becomes of them.`));
    const apply = button(found.to ? `Keep the best ${found.to}` : "Keep all that are fit", () => start(found.to, apply), { class: "lsp-primary", ...(changes || found.unmeasured ? {} : { disabled: "" }) });
    parts.push(make("div", { class: "lsp-best" }, apply, button("Cancel", () => place.replaceChildren())));
    if (found.advice.length) parts.push(make("p", { class: "lsp-hint" }, `Then still out of balance: ${found.advice.slice(0, 8).map((row) => `${row.part} ${shown(row.value)} (${row.advice})`).join("; ")}${found.advice.length > 8 ? "; …" : ""}`));
    parts.push(...wall("Would leave", found.leaving, found.leaves), ...wall("Would come back", found.coming, found.comes));
    place.replaceChildren(...parts);
  }

  function wall(title, tiles, count) {
    if (!count) return [];
    const nodes = tiles.map((one) => {
      const tile = P.tile(one, make("span", { class: "lsp-beside" }, one.beside));
      tile.querySelector(".ls-decide").remove();
      tile.classList.remove("ls-dropped");
      const open = tile.querySelector(".ls-opener");
      open.tabIndex = 0;
      open.addEventListener("click", () => P.picture(one.name, tiles.map((each) => each.name)));
      return tile;
    });
    const more = count > tiles.length ? ` (the first ${tiles.length} are shown)` : "";
    return [make("h4", {}, `${title}: ${count}${more}`), make("div", { class: "ls-wall" }, ...nodes)];
  }

  async function start(to, button) {
    button.disabled = true;
    const done = await post("api/prune/best", { to });
    button.disabled = false;
    if (!done) return;
    tell(to ? `Choosing the best ${to} is in the line as job ${done.job}. Undo takes it back; the setting "to" stays ${to}.` : `Keeping all that are fit is in the line as job ${done.job}.`);
    held.replaceChildren();
    P.open("pictures");
  }
})();

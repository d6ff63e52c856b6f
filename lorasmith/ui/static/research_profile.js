// The tags of a character with the class that info.md gives each, to move by hand, and info.md itself beside them, to edit as a text.
(function () {
  "use strict";
  const { make, button, note, many, percent, shown, send, post, tell, project } = window.lorasmith;
  const R = window.lorasmith.research;
  const { get, drawers } = R;
  const CLASSES = { core: "core look", toggle: "toggle", choice: "choice", picked: "choice, picked", state: "state" };
  const SHOWN = { all: "all", core: "core looks", toggle: "toggles", choice: "choices", picked: "picked", state: "state" };
  const MEANS = { core: "always so: the trigger stands for it", toggle: "comes and goes: captions tell it", choice: "one of several sides: captions tell them apart", picked: "the side it is meant to have: joins the core looks", state: "varies from picture to picture: captions tell it" };
  let shell = null;
  let ask = { typed: "", cls: "all", page: 1 };
  let turn = 0;
  let readTurn = 0;
  let base = null; // info.md as it was when the editing began: {text, version}
  let theirs = null; // info.md as somebody else has written it meanwhile
  let saving = false;

  const key = () => `ls-sheet-${project()}`;

  drawers.profile = function (node) {
    if (!node.querySelector(".lsf-profile")) mount(node);
    load();
    read();
  };

  function mount(node) {
    const typed = make("input", { type: "search", placeholder: "find a tag", "aria-label": "find a tag", value: ask.typed, spellcheck: "false" });
    typed.addEventListener("input", () => load({ typed: typed.value, page: 1 }));
    shell = {
      shows: make("nav", { class: "ls-choices", "aria-label": "which classes" }), table: make("div", { class: "ls-table lsf-table", tabindex: "-1" }),
      pager: make("nav", { class: "ls-pager", "aria-label": "pages" }), fault: make("div", {}),
      text: make("textarea", { class: "lsf-text", spellcheck: "false", "aria-label": "info.md, the character sheet" }),
      save: button("Save", save, { class: "lsf-primary", disabled: "" }), back: button("Put back", putBack, { hidden: "" }), state: make("span", { class: "lsf-hint", role: "status" }),
      conflict: make("div", { class: "lsf-conflict", role: "alert" }),
    };
    shell.text.addEventListener("input", edited);
    shell.text.addEventListener("keydown", (event) => { if (event.key === "s" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); save(); } });
    const left = make("div", { class: "lsf-profile" }, make("div", { class: "lsf-bar" }, typed, shell.pager), shell.shows, shell.fault, shell.table);
    const right = make("div", { class: "lsf-sheet" }, make("div", { class: "lsf-bar" }, make("h3", {}, "info.md"), shell.state, shell.back, shell.save), shell.conflict, shell.text);
    node.replaceChildren(make("div", { class: "lsf-two" }, left, right));
    const draft = sessionStorage.getItem(key());
    base = null;
    theirs = null;
    if (draft) {
      const kept = JSON.parse(draft);
      base = kept.base;
      shell.text.value = kept.text;
    }
    drawSheet();
  }

  // ---- the table

  async function load(change) {
    ask = { ...ask, ...change };
    const mine = ++turn;
    const found = await get("profile", ask);
    if (mine !== turn) return;
    shell.fault.replaceChildren(...(found.error ? [note(found.error, "warn")] : []));
    if (found.lost) R.again();
    if (found.error) return;
    ask.page = found.page;
    shell.shows.replaceChildren(...Object.entries(SHOWN).map(([cls, label]) => button(`${label} (${many(found.counts[cls])})`, () => load({ cls, page: 1 }), { "aria-pressed": String(cls === ask.cls), class: cls === ask.cls ? "ls-chosen" : "", title: MEANS[cls] || "" })));
    const go = (to, label, aria) => button(label, () => load({ page: to }), { "aria-label": aria, ...(to < 1 || to > found.pages ? { disabled: "" } : {}) });
    shell.pager.replaceChildren(...(found.pages > 1 ? [go(found.page - 1, "‹", "page before"), make("span", {}, `page ${found.page} of ${found.pages}`), go(found.page + 1, "›", "next page")] : []));
    if (!found.of) return shell.table.replaceChildren(note("No tags yet: research counts them. What you write into info.md under 'Core looks', 'Toggles' or 'Choices' comes here too."));
    const held = shell.table.contains(document.activeElement) ? document.activeElement.dataset.tag : null;
    const heads = ["tag", "posts", "share", "lift", "class"].map((head) => make("th", { scope: "col", ...(["posts", "lift"].includes(head) ? { class: "ls-number" } : {}), ...(head === "lift" ? { title: "how many times oftener than on the whole site" } : {}) }, head));
    const scrolled = shell.table.scrollTop;
    shell.table.replaceChildren(make("table", { "aria-label": "tags of the character" }, make("thead", {}, make("tr", {}, ...heads)), make("tbody", {}, ...found.rows.map(row))));
    shell.table.scrollTop = change ? 0 : scrolled;
    const again = held && [...shell.table.querySelectorAll("select")].find((one) => one.dataset.tag === held);
    if (again) again.focus();
  }

  function row(one) {
    const select = make("select", { "aria-label": `class of ${shown(one.tag)}`, "data-tag": one.tag, class: `lsf-cls lsf-cls-${one.cls}`, title: MEANS[one.cls] }, ...Object.entries(CLASSES).map(([cls, label]) => make("option", { value: cls }, label)));
    select.value = one.cls;
    select.addEventListener("change", () => move(one, select));
    const track = make("span", { class: "lsf-share" }, make("i", {}));
    track.firstChild.style.width = percent(one.share).replace(" ", "");
    const differs = one.found !== one.cls && !(one.found === "choice" && one.cls === "picked") && !["other", "by hand"].includes(one.found);
    const label = differs ? [make("small", { class: "lsf-found", title: "what research found" }, `found: ${CLASSES[one.found]}`)] : [];
    return make("tr", {}, make("td", {}, make("b", {}, shown(one.tag)), make("small", { class: "lsf-found" }, one.group)), make("td", { class: "ls-number" }, one.posts ? many(one.posts) : ""), make("td", { class: "lsf-nowrap" }, track, ` ${percent(one.share)}`), make("td", { class: "ls-number lsf-nowrap" }, one.lift === null ? "" : `${one.lift >= 10 ? Math.round(one.lift) : one.lift.toPrecision(2)} ×`), make("td", {}, select, ...label));
  }

  async function move(one, select) {
    if (isBegun()) {
      tell("Save info.md first, or put it back: what you typed there is not written yet.", "warn");
      select.value = one.cls;
      return;
    }
    const done = await post("api/research/class", { tag: one.tag, cls: select.value });
    if (!done) { select.value = one.cls; return; }
    tell(`${shown(one.tag)} is now ${CLASSES[select.value]}: ${MEANS[select.value]}. Ctrl+Z takes it back.`);
    load();
    read();
  }

  // ---- info.md as a text

  const isBegun = () => base !== null && shell.text.value !== base.text;

  // What is on the disk; a text that is being edited stays, and is told when the disk has another meanwhile.
  async function read() {
    const mine = ++readTurn;
    const found = await get("sheet", {});
    if (mine !== readTurn || found.error || saving) return;
    if (!isBegun()) {
      if (base === null || base.version !== found.version || shell.text.value !== found.text) shell.text.value = found.text;
      base = found;
      theirs = null;
    } else theirs = found.version === base.version ? null : found;
    drawSheet();
  }

  function edited() {
    if (isBegun()) sessionStorage.setItem(key(), JSON.stringify({ base, text: shell.text.value }));
    else sessionStorage.removeItem(key());
    drawSheet();
  }

  function drawSheet() {
    shell.text.disabled = base === null; // what is typed before the file has come would be lost when it comes
    shell.save.disabled = !isBegun() || saving || theirs !== null;
    shell.back.hidden = !isBegun();
    shell.state.textContent = base === null ? "is being read" : isBegun() ? "not saved yet" : base && !base.text ? "there is none yet" : "";
    if (!theirs) return shell.conflict.replaceChildren();
    if (shell.conflict.dataset.of === theirs.version && shell.conflict.firstChild) return;
    shell.conflict.dataset.of = theirs.version;
    const other = make("pre", { class: "ls-sheet", tabindex: "0", "aria-label": "info.md on the disk" }, theirs.text);
    shell.conflict.replaceChildren(note("info.md was changed meanwhile, by another program or in another window. Yours is below, theirs is here:", "warn"), other,
      make("div", { class: "lsf-bar" }, button("Save mine over it", () => save(true)), button("Take theirs, give mine up", takeTheirs)));
  }

  async function save(over) {
    if (!isBegun() || saving || (theirs && over !== true)) return;
    saving = true;
    drawSheet();
    const text = shell.text.value;
    const content = await send("api/research/sheet", { text, version: over === true ? theirs.version : base.version });
    saving = false;
    if (content.status === 409) theirs = content.now;
    else if (content.error) tell(content.lost ? "The server did not answer, so info.md was not saved. Your text is still here." : content.error, "warn");
    else {
      if (shell.text.value === text) shell.text.value = content.text;
      base = content;
      theirs = null;
      tell("info.md is saved. Ctrl+Z outside the text takes it back.");
    }
    edited();
    if (!content.error) load();
  }

  function takeTheirs() {
    base = theirs;
    shell.text.value = theirs.text;
    theirs = null;
    edited();
  }

  function putBack() {
    if (theirs) return takeTheirs();
    shell.text.value = base.text;
    edited();
  }
})();

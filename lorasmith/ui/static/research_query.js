// The search of the Research page: a character, its company, tags with and without, one of some, or a query in the site's own grammar.
(function () {
  "use strict";
  const { make, button, many, shown, post, tell, project } = window.lorasmith;
  const R = window.lorasmith.research;
  const { get, drawers } = R;
  const LISTS = { with_tags: "with", one_of: "with one of", without: "without" };
  const HELP = { with_tags: "tags that every post must have", one_of: "a post needs one of these", without: "tags that no post may have" };
  const SOLO = { solo: "alone in the picture", focus: "alone or in focus", any: "in any company" };
  let shell = null;
  let begun = {}; // what was typed and is not set yet
  let set = {}; // what is set
  let counts = {}; // query -> what the site said
  let timer = 0;
  let turn = 0;
  let settled = Promise.resolve();

  const key = () => `ls-search-${project()}`;
  const now = () => ({ ...set, ...begun });
  const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

  drawers.search = function (node, all) {
    if (shell !== node || !node.firstChild) mount(node);
    set = all.search;
    for (const name of Object.keys(begun)) if (same(begun[name], set[name])) delete begun[name];
    fill(all);
  };

  // A looser search that research found: put as the query itself.
  drawers.take = (query) => { change({ query }); shell.querySelector("#lsf-query").closest("details").open = true; };

  function mount(node) {
    shell = node;
    try { begun = JSON.parse(sessionStorage.getItem(key()) || "{}"); } catch (error) { begun = {}; }
    const character = make("input", { type: "text", id: "lsf-character", autocomplete: "off", spellcheck: "false" });
    const solo = make("select", { id: "lsf-solo" }, ...Object.entries(SOLO).map(([value, label]) => make("option", { value }, label)));
    const query = make("input", { type: "text", id: "lsf-query", autocomplete: "off", spellcheck: "false", placeholder: "empty: built of the fields above" });
    character.addEventListener("input", () => change({ character: character.value.trim() }));
    solo.addEventListener("change", () => change({ solo: solo.value }));
    query.addEventListener("input", () => change({ query: query.value.trim() }));
    offering(character, "character", (tag) => { character.value = tag; change({ character: tag }); });
    const field = (id, label, inside, kind) => make("div", { class: `lsf-field ${kind || ""}` }, make("label", { for: id }, label), inside);
    const lists = Object.entries(LISTS).map(([name, label]) => {
      const input = make("input", { type: "text", id: `lsf-${name}`, autocomplete: "off", spellcheck: "false", placeholder: "add a tag", title: HELP[name] });
      const box = make("div", { class: "lsf-tags", "data-list": name }, input);
      const add = (text) => {
        const fresh = text.split(",").map((tag) => tag.trim().replace(/^[-~]+/, "").replace(/\s+/g, "_")).filter((tag) => tag && !now()[name].includes(tag));
        input.value = "";
        if (fresh.length) change({ [name]: [...now()[name], ...fresh] });
      };
      input.addEventListener("keydown", (event) => {
        if ((event.key === "Enter" || event.key === ",") && !input.dataset.offered) { event.preventDefault(); add(input.value); }
        else if (event.key === "Backspace" && !input.value && now()[name].length) change({ [name]: now()[name].slice(0, -1) });
      });
      input.addEventListener("blur", () => setTimeout(() => { if (input.value.trim() && document.activeElement !== input) add(input.value); }, 150));
      offering(input, "tag", add);
      return field(`lsf-${name}`, label, box, "lsf-list");
    });
    const count = button("Count on the site", ask, { class: "lsf-count", title: "asks the site once how many posts this search finds" });
    const keep = button("Use this search", use, { class: "lsf-primary lsf-use" });
    const drop = button("Put back", () => { begun = {}; remember(); fill(R.found()); }, { class: "lsf-drop", title: "what you changed here and did not use is given up" });
    const raw = make("details", { class: "lsf-raw" }, make("summary", {}, "In the site's own words"), field("lsf-query", "query", query));
    node.replaceChildren(make("form", { class: "lsf-form", "aria-label": "the search" },
      make("div", { class: "lsf-line" }, field("lsf-character", "character", character), field("lsf-solo", "company", solo)),
      make("div", { class: "lsf-line" }, ...lists), raw,
      make("div", { class: "lsf-line lsf-foot" }, make("code", { class: "lsf-built", "aria-label": "the search as the site is asked" }), make("span", { class: "lsf-answer", role: "status" }), count, keep, drop)));
    node.querySelector("form").addEventListener("submit", (event) => { event.preventDefault(); });
  }

  function fill(all) {
    const is = now();
    const put = (id, value) => { const one = shell.querySelector(id); if (document.activeElement !== one) one.value = value; };
    put("#lsf-character", is.character);
    shell.querySelector("#lsf-character").placeholder = `empty: ${all.trigger}`;
    put("#lsf-solo", is.solo);
    put("#lsf-query", is.query);
    if (is.query) shell.querySelector(".lsf-raw").open = true;
    for (const name of Object.keys(LISTS)) {
      const box = shell.querySelector(`[data-list="${name}"]`);
      if (box.dataset.drawn === JSON.stringify(is[name])) continue;
      box.dataset.drawn = JSON.stringify(is[name]);
      for (const old of box.querySelectorAll(".lsf-chip")) old.remove();
      box.prepend(...is[name].map((tag) => button(make("span", {}, shown(tag), make("i", { "aria-hidden": "true" }, " ×")), () => { change({ [name]: now()[name].filter((one) => one !== tag) }); box.querySelector("input").focus(); }, { class: "lsf-chip", "aria-label": `take ${shown(tag)} out of '${LISTS[name]}'` })));
    }
    for (const one of shell.querySelectorAll(".lsf-list input, #lsf-character, #lsf-solo")) one.disabled = Boolean(is.query);
    const open = Object.keys(begun).length > 0;
    shell.querySelector(".lsf-use").disabled = !open;
    shell.querySelector(".lsf-drop").hidden = !open;
    if (!open) { turn += 1; told(all.built); } else look();
  }

  function told(built, fault) {
    shell.querySelector(".lsf-built").textContent = built;
    const answer = shell.querySelector(".lsf-answer");
    answer.classList.toggle("lsf-bad", Boolean(fault));
    const known = counts[built];
    answer.textContent = fault || (known ? known : R.found().asked === built && typeof R.found().count === "number" ? `${many(R.found().count)} posts at the last research` : "");
    shell.querySelector(".lsf-count").disabled = Boolean(fault);
  }

  function change(what) {
    begun = { ...begun, ...what };
    for (const name of Object.keys(begun)) if (same(begun[name], set[name])) delete begun[name];
    remember();
    fill(R.found());
  }

  const remember = () => sessionStorage.setItem(key(), JSON.stringify(begun));

  // Start means the search that is on the screen.
  document.addEventListener("click", async (event) => {
    const start = event.target.closest && event.target.closest("#ls-start-research");
    if (!start || !Object.keys(begun).length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    if (await use()) start.click();
  }, true);

  // What the fields make of it, in the site's grammar; the site is not asked.
  function look() {
    clearTimeout(timer);
    const mine = ++turn;
    settled = new Promise((go) => { timer = setTimeout(async () => {
      const answer = await get("query", lined());
      if (mine === turn) told(answer.error ? "" : answer.built, answer.error);
      go();
    }, 120); });
  }

  const lined = () => Object.fromEntries(Object.entries(now()).map(([name, value]) => [name, Array.isArray(value) ? value.join(",") : value]));

  async function ask() {
    const one = shell.querySelector(".lsf-count");
    const answer = shell.querySelector(".lsf-answer");
    one.disabled = true;
    answer.classList.remove("lsf-bad");
    answer.textContent = "asking the site …";
    const said = await get("count", lined());
    one.disabled = false;
    if (said.error) { answer.textContent = said.error; answer.classList.add("lsf-bad"); return; }
    counts[said.query] = said.posts === null ? `${said.site} does not count` : `${many(said.posts)} posts on ${said.site}`;
    told(said.query);
  }

  async function use() {
    await settled;
    const done = await post("api/research/search", now());
    if (!done) return false;
    begun = {};
    remember();
    tell(`The search is ${done.built}. Start research asks the site.`);
    R.load();
    return true;
  }

  // ---- tags offered while a person types

  function offering(input, kind, pick) {
    const list = make("ul", { class: "lsf-offers", role: "listbox", id: `${kind}-${Math.random().toString(36).slice(2, 8)}`, hidden: "" });
    let rows = [];
    let at = -1;
    let mine = 0;
    let wait = 0;
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) input.setAttribute(name, value);
    const shut = () => { mine += 1; at = -1; list.hidden = true; delete input.dataset.offered; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
    const take = (place) => { const row = rows[place]; shut(); pick(row.tag); };
    const mark = () => { [...list.children].forEach((one, place) => one.setAttribute("aria-selected", String(place === at))); if (at >= 0) { input.dataset.offered = "yes"; input.setAttribute("aria-activedescendant", list.children[at].id); list.children[at].scrollIntoView({ block: "nearest" }); } };
    input.addEventListener("input", () => {
      clearTimeout(wait);
      const turnOf = ++mine;
      wait = setTimeout(async () => {
        const answer = input.value.trim() ? await get("offer", { typed: input.value, field: kind }) : { offers: [] };
        if (turnOf !== mine || document.activeElement !== input) return;
        rows = answer.offers || [];
        list.replaceChildren(...rows.map((row, place) => {
          const count = row.posts ? make("span", { class: "lsf-offer-count" }, `${many(row.posts)} of its posts`) : make("span", { class: "lsf-offer-count" }, row.group);
          const one = make("li", { role: "option", id: `${list.id}-${place}`, "aria-selected": "false" }, make("span", {}, row.typed_as ? `${shown(row.typed_as)} → ${shown(row.tag)}` : shown(row.tag)), count);
          one.addEventListener("pointerdown", (event) => { event.preventDefault(); take(place); });
          return one;
        }));
        at = -1;
        list.hidden = !rows.length;
        input.setAttribute("aria-expanded", String(rows.length > 0));
      }, 120);
    });
    input.addEventListener("keydown", (event) => {
      if (list.hidden) return;
      if (event.key === "ArrowDown" || event.key === "ArrowUp") { at = (at + (event.key === "ArrowDown" ? 1 : -1) + rows.length + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % rows.length; mark(); event.preventDefault(); }
      else if (event.key === "Enter" && at >= 0) { event.preventDefault(); event.stopImmediatePropagation(); take(at); }
      else if (event.key === "Escape") { shut(); event.stopPropagation(); }
    }, true);
    input.addEventListener("blur", () => setTimeout(shut, 120));
    queueMicrotask(() => input.parentNode && input.parentNode.append(list));
  }
})();

// The Tag page: pictures by a filter, counts of their tags, and edits of many at once. What is shown is asked of the server each time.
(function () {
  "use strict";
  const { make, button, get, plural, shown, post, tell, project, state } = window.lorasmith;
  const PARTS = { pictures: "Pictures", thresholds: "Thresholds", looks: "Looks and outfits", audit: "Audit", disagreements: "Site against tagger" };
  const ORDERS = ["name", "fewest tags", "most tags"];
  const PAUSE = 350; // milliseconds without a key until a filter is asked
  const TWO_FIELDS = { replace: "written as", rename: "written as", regex: "replaced by" };
  const SORTS = ["groups", "alphabet", "count"];
  const drawers = {}; // part -> function(node) that draws it; the other files add theirs
  let shell = null;
  let look = { where: "", page: 1, order: "name", part: "pictures" };
  let drawn = ""; // the version and the look that are on the screen
  let asked = 0; // so that a late answer does not overwrite a newer one
  let restUntil = 0; // a change that comes while the last answer was dear waits a little
  let chosen = new Set(); // pictures ticked by hand
  let page = null; // the last answer

  // ---- asking and changing

  async function ask(what, words) {
    const found = await get(`api/tags/${what}`, words);
    if (found.lost) drawn = ""; // asked again as soon as the server answers
    return found;
  }

  async function send(what, body) {
    return post(`api/tags/${what}`, body);
  }

  const quoted = (tag) => (/[\s()|,"*?:-]/.test(tag) || /^(and|or|not)$/i.test(tag) ? `tag:"${tag}"` : tag);
  const listed = (text) => text.split(",").map((word) => word.trim()).filter(Boolean);
  const undo = () => post("api/history", { way: "undo" }).then((done) => done && tell(`undo: ${done.what}`));

  function keep() {
    sessionStorage.setItem(`ls-tags-${project()}`, JSON.stringify(look));
  }

  function restore() {
    try {
      look = { ...look, ...JSON.parse(sessionStorage.getItem(`ls-tags-${project()}`) || "{}") };
    } catch (error) {
      // as at the beginning
    }
    if (!(look.part in PARTS)) look.part = "pictures";
  }

  // Shows other pictures, or another part of the page.
  function go(change) {
    look = { ...look, page: 1, ...change };
    keep();
    refresh(true);
  }

  // ---- the place, and when it is drawn anew

  document.addEventListener("ls-state", () => refresh(false));

  async function refresh(now) {
    const place = document.querySelector('[data-ls-own="tag"]');
    if (!place || !project() || place.offsetParent === null) return;
    if (shell !== place || !place.firstElementChild || !place.querySelector(".lst-parts")) mount(place);
    const version = (state() || {}).version || "";
    const wanted = JSON.stringify([version, look]);
    if (wanted === drawn || (!now && Date.now() < restUntil)) return;
    const moved = drawn && JSON.stringify(look) !== JSON.stringify(JSON.parse(drawn)[1]);
    drawn = wanted;
    const begun = Date.now();
    mark();
    const before = shell.querySelector(".lst-part");
    const same = before.dataset.part === look.part;
    // Each part has a node of its own: an answer that comes when another part is shown is drawn into one that has left the page.
    const node = same ? before : make("div", { class: "lst-part", "data-part": look.part });
    if (!same) before.replaceWith(node);
    if (look.part === "pictures") await pictures(node);
    else await drawers[look.part](node, !moved && same);
    restUntil = Date.now() + 5 * (Date.now() - begun);
  }

  function mount(place) {
    shell = place;
    restore();
    drawn = "";
    const parts = Object.entries(PARTS).map(([name, words]) => button(words, () => go({ part: name }), { "data-part": name, role: "tab" }));
    place.replaceChildren(make("nav", { class: "lst-parts", role: "tablist", "aria-label": "parts of the Tag page" }, ...parts), make("div", { class: "lst-part" }));
  }

  function mark() {
    for (const one of shell.querySelectorAll(".lst-parts button")) one.setAttribute("aria-selected", String(one.dataset.part === look.part));
  }

  // ---- pictures

  async function pictures(node) {
    if (!node.querySelector(".lst-filter")) build(node);
    const mine = ++asked;
    const answer = await ask("page", { where: look.where, page: look.page, order: look.order });
    if (mine !== asked || look.part !== "pictures" || !node.querySelector(".lst-filter")) return;
    const box = node.querySelector(".lst-filter input");
    if (document.activeElement !== box) box.value = look.where;
    fault(node, answer);
    if (answer.error) return;
    page = answer;
    look.page = answer.page;
    node.querySelector(".lst-order").value = look.order;
    node.querySelector(".lst-found").textContent = answer.total === answer.of ? plural(answer.of, "picture") : `${answer.total} of ${plural(answer.of, "picture")}`;
    wall(node.querySelector(".lst-wall"), answer);
    for (const pager of node.querySelectorAll(".ls-pager")) turning(pager, answer);
    counts(node.querySelector(".lst-counts"), answer);
    meant(node);
  }

  function build(node) {
    const box = make("input", { type: "search", id: "lst-where", placeholder: "all pictures: type a filter, such as smile AND NOT closed_eyes", autocomplete: "off", spellcheck: "false", "aria-describedby": "lst-fault" });
    box.value = look.where;
    const order = make("select", { class: "lst-order", "aria-label": "order of the pictures" }, ...ORDERS.map((one) => make("option", { value: one }, one === "name" ? "by name" : one)));
    const filter = make("form", { class: "lst-filter", role: "search" }, make("label", { for: "lst-where" }, "Filter"), make("span", { class: "lst-typing" }, box), button("×", () => { box.value = ""; go({ where: "" }); box.focus(); }, { "aria-label": "empty the filter" }), order, make("span", { class: "lst-found", role: "status" }));
    let timer = 0;
    const apply = () => { clearTimeout(timer); if (box.value.trim() !== look.where) go({ where: box.value.trim() }); };
    filter.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
    box.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(apply, PAUSE); });
    order.addEventListener("change", () => go({ order: order.value }));
    offering(box, { word: /[^\s()|,"]*$/, pick: quoted, after: apply });
    const find = make("input", { type: "search", placeholder: "find a tag", "aria-label": "find a tag among the counts" });
    find.addEventListener("input", () => page && counts(node.querySelector(".lst-counts"), page));
    const aside = make("aside", { class: "lst-aside", "aria-label": "tags of these pictures" }, find, make("div", { class: "ls-table lst-counts" }));
    const pager = () => make("nav", { class: "ls-pager", "aria-label": "pages" });
    node.replaceChildren(filter, make("p", { id: "lst-fault", class: "lst-fault", role: "alert", hidden: "" }), batch(), make("div", { class: "lst-two" }, aside, make("div", { class: "lst-main" }, pager(), make("div", { class: "lst-wall" }), pager())));
  }

  // A sentence, and the filter with its fault marked.
  function fault(node, answer) {
    const box = node.querySelector(".lst-filter input");
    const place = node.querySelector("#lst-fault");
    const words = answer.error ? [answer.error] : answer.hints;
    place.hidden = !words.length;
    place.classList.toggle("warn", Boolean(answer.error));
    box.setAttribute("aria-invalid", String(Boolean(answer.error)));
    const parts = [make("span", {}, words.join(" "))];
    if (answer.error && answer.place !== undefined) {
      const [before, at] = [look.where.slice(0, answer.place), look.where.slice(answer.place)];
      parts.unshift(make("code", { "aria-hidden": "true" }, before, make("mark", {}, at || "␣")));
    }
    const near = answer.error ? [] : answer.hints.map((hint) => hint.match(/No picture has '(.*)'; did you mean (\S+)\.$/)).filter(Boolean);
    for (const [, wrong, right] of near) parts.push(button(`take ${right}`, () => go({ where: look.where.replace(wrong, right) })));
    place.replaceChildren(...parts);
  }

  function wall(node, answer) {
    const key = JSON.stringify([answer.pictures, answer.captions > 0]);
    if (node.dataset.drawn === key) return;
    node.dataset.drawn = key;
    node.replaceChildren(...answer.pictures.map(tile));
    if (!answer.pictures.length) node.append(make("p", { class: "ls-note" }, answer.of ? "No picture fits the filter." : "No pictures are kept yet: download or add some, then start tag."));
  }

  function tile(one) {
    const picture = make("img", { src: one.src, alt: `${one.name}: ${one.caption || "no caption yet"}`.slice(0, 300), loading: "lazy", width: "256", height: "256" });
    const over = one.tokens > 75;
    const tick = make("input", { type: "checkbox", "aria-label": `choose ${one.name} for an edit` });
    tick.checked = chosen.has(one.name);
    tick.addEventListener("change", () => { tick.checked ? chosen.add(one.name) : chosen.delete(one.name); meant(shell); });
    const open = button(picture, () => window.lorasmith.tags.picture(one.name), { class: "lst-open", "aria-label": `tags of ${one.name}` });
    const words = make("span", {}, plural(one.tags, "tag"), " · ", make("b", { class: over ? "lst-over" : "" }, one.tokens === null ? "no caption" : over ? `${one.tokens} tokens, over 75` : plural(one.tokens, "token")));
    return make("figure", { "data-name": one.name, title: one.caption }, open, make("figcaption", {}, make("label", {}, tick, make("b", {}, one.name)), words, make("span", {}, one.kind || "original")));
  }

  function turning(node, answer) {
    const turn = (words, to, far) => {
      const one = button(words, () => { go({ page: to }); shell.scrollIntoView({ block: "start" }); });
      one.disabled = far;
      return one;
    };
    const many = answer.pages > 1;
    node.hidden = !many;
    node.replaceChildren(turn("‹ before", answer.page - 1, answer.page <= 1), make("span", {}, `page ${answer.page} of ${answer.pages}`), turn("next ›", answer.page + 1, answer.page >= answer.pages));
  }

  function counts(node, answer) {
    const wanted = node.parentNode.querySelector("input").value.trim().replaceAll(" ", "_").toLowerCase();
    const rows = answer.counts.filter(([tag]) => tag.toLowerCase().includes(wanted)).map(([tag, count, core]) => {
      const and = button(shown(tag), () => narrow(quoted(tag)), { class: "lst-tag", title: "only pictures with it" });
      const not = button("−", () => narrow(`-${quoted(tag)}`), { class: "lst-not", "aria-label": `only pictures without ${shown(tag)}`, title: "only pictures without it" });
      return make("tr", {}, make("td", {}, and, ...(core ? [make("span", { class: "lst-core" }, "core")] : [])), make("td", { class: "ls-number" }, String(count)), make("td", {}, not));
    });
    const more = answer.tags > answer.counts.length ? [make("caption", {}, `the commonest ${answer.counts.length} of ${answer.tags}`)] : [];
    node.replaceChildren(make("table", {}, ...more, make("thead", {}, make("tr", {}, make("th", {}, "tag"), make("th", { class: "ls-number" }, "pictures"), make("th", {}))), make("tbody", {}, ...rows)));
  }

  function narrow(term) {
    const before = look.where.trim();
    const loose = /(^|[\s)])or([\s(]|$)|\|/i.test(before); // what OR joins must be held together
    go({ where: before ? `${loose ? `(${before})` : before} ${term}` : term });
  }

  // ---- edits of many pictures

  function batch() {
    const action = make("select", { "aria-label": "what to do" }, ...["add", "remove", "replace", "rename", "regex", "dedupe", "first", "last", "sort"].map((one) => make("option", { value: one }, one)));
    const words = make("input", { type: "text", class: "lst-words", "aria-label": "tags, with commas between them", placeholder: "tags, with commas between them", autocomplete: "off", spellcheck: "false" });
    const into = make("input", { type: "text", class: "lst-into", "aria-label": "the new tag", placeholder: "new tag", autocomplete: "off", spellcheck: "false" });
    const sort = make("select", { "aria-label": "sorted by" }, ...SORTS.map((one) => make("option", { value: one }, `by ${one}`)));
    const arrow = make("span", {}, "→");
    const result = make("div", { class: "lst-diff", role: "status" });
    const apply = button("Apply", () => run("edit"), { class: "lst-primary" });
    apply.disabled = true;
    let ready = null; // the edit that was previewed: just that is applied
    const fit = () => {
      const one = action.value;
      into.hidden = arrow.hidden = !(one in TWO_FIELDS);
      sort.hidden = one !== "sort";
      words.hidden = one === "sort" || one === "dedupe";
      words.placeholder = one === "regex" ? "pattern, such as ^(open|closed)_mouth$" : "tags, with commas between them";
      words.setAttribute("aria-label", words.placeholder);
      stale();
    };
    const stale = () => { ready = null; apply.disabled = true; apply.textContent = "Apply"; };
    const edit = () => {
      const one = action.value;
      const typed = one === "regex" ? [words.value] : one === "sort" ? [sort.value] : one === "dedupe" ? [] : listed(words.value);
      const everywhere = one === "rename";
      return { action: one, words: one in TWO_FIELDS ? [...typed, into.value.trim()] : typed, where: everywhere || chosen.size ? "" : look.where, pictures: everywhere ? [] : [...chosen] };
    };
    async function run(what) {
      const wanted = what === "edit" ? ready : edit();
      if (!wanted) return;
      stale();
      const done = await send(what, wanted);
      if (!done) return;
      result.replaceChildren(...difference(done));
      if (what === "edit") result.prepend(make("p", {}, make("b", {}, `Done on ${plural(done.pictures, "picture")}. `), "Start tag to write the captions. ", button("undo", undo)));
      else if (done.pictures || done.behind_them) {
        ready = wanted;
        apply.disabled = false;
        apply.textContent = `Apply to ${plural(done.pictures, "picture")}`;
      }
    }
    for (const one of [action, words, into, sort]) one.addEventListener("input", fit);
    offering(words, { word: /[^,]*$/, pick: (tag) => shown(tag) });
    offering(into, { word: /.*$/, pick: (tag) => shown(tag) });
    const form = make("form", { class: "lst-edit" }, action, words, arrow, into, sort, make("button", { type: "submit" }, "Preview"), apply, button("undo", undo, { title: "take the last change of the project back" }));
    form.addEventListener("submit", (event) => { event.preventDefault(); run("preview"); });
    const box = make("details", { class: "lst-batch" }, make("summary", {}), form, result);
    box.prefill = (name, tags) => { action.value = name; words.value = tags.join(", "); fit(); box.open = true; run("preview"); };
    box.stale = stale;
    fit();
    return box;
  }

  // Says which pictures an edit means.
  function meant(node) {
    const box = node.querySelector(".lst-batch");
    if (!box || !page) return;
    const words = chosen.size ? `Edit the ${plural(chosen.size, "chosen picture")} …` : `Edit ${page.total === page.of ? "all" : "these"} ${plural(page.total, "picture")} …`;
    const summary = box.querySelector("summary");
    if (summary.dataset.words === words) return;
    summary.dataset.words = words;
    box.stale();
    const none = button("choose none", (event) => { event.preventDefault(); choose([]); });
    summary.replaceChildren(words, ...(chosen.size ? [" ", none] : []));
  }

  function choose(names) {
    chosen = new Set(names);
    for (const tick of shell.querySelectorAll(".lst-wall figure input")) tick.checked = chosen.has(tick.closest("figure").dataset.name);
    meant(shell);
  }

  function difference(done) {
    const told = [];
    for (const [mark, changes] of [["+", done.added], ["−", done.removed], ["↔", done.moved]]) {
      for (const [tag, count] of Object.entries(changes)) told.push(make("span", { class: mark === "+" ? "lst-plus" : mark === "−" ? "lst-minus" : "" }, `${mark} ${shown(tag)} (${count})`));
    }
    const behind = done.behind_them ? `, and ${plural(done.behind_them, "original")} behind crops` : "";
    const head = make("p", {}, `${plural(done.pictures, "picture")} ${done.applied ? "changed" : "would change"}${behind}. `, ...done.hints, " ", ...told.slice(0, 60).flatMap((one) => [one, " "]));
    const rows = done.difference.map((one) => make("tr", {}, make("td", {}, button(one.picture, () => window.lorasmith.tags.picture(one.picture), { class: "lst-tag" })), make("td", {}, ...one.removed.map((tag) => make("del", {}, `− ${shown(tag)}`)), ...one.added.map((tag) => make("ins", {}, `+ ${shown(tag)}`)), ...one.moved.map((tag) => make("span", {}, `↔ ${shown(tag)}`)))));
    const more = done.not_listed ? [make("caption", {}, `and ${plural(done.not_listed, "picture")} more`)] : [];
    return rows.length ? [head, make("div", { class: "ls-table" }, make("table", {}, ...more, make("tbody", {}, ...rows)))] : [head];
  }

  // ---- tags offered while one types: arrows choose, Enter takes, Escape leaves

  let lists = 0;
  function offering(input, { word, pick, after }) {
    const list = make("ul", { class: "lst-offers", role: "listbox", id: `lst-offers-${++lists}`, hidden: "" });
    let found = [];
    let at = -1;
    let mine = 0;
    let timer = 0;
    for (const [name, value] of Object.entries({ role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false", "aria-controls": list.id })) input.setAttribute(name, value);
    const close = () => { mine += 1; clearTimeout(timer); list.hidden = true; at = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
    const take = (offer) => {
      const head = input.value.slice(0, input.value.length - (input.value.match(word) || [""])[0].length);
      input.value = head + (head && /[,|]$/.test(head) ? " " : "") + pick(offer.tag);
      close();
      input.dispatchEvent(new Event("input", { bubbles: true }));
      close();
      input.focus();
      if (after) after();
    };
    const light = () => Array.from(list.children).forEach((one, place) => {
      one.setAttribute("aria-selected", String(place === at));
      if (place !== at) return;
      input.setAttribute("aria-activedescendant", one.id);
      one.scrollIntoView({ block: "nearest" });
    });
    async function fill() {
      const typed = (input.value.match(word) || [""])[0].replace(/^-|^\w+:/, "").trim();
      const turn = ++mine; // a later key asks anew
      if (!typed || /^(and|or|not)$/i.test(typed)) return close();
      const answer = await ask("offer", { typed });
      if (turn !== mine || answer.error || document.activeElement !== input) return;
      found = answer.offers;
      at = -1;
      list.replaceChildren(...found.map((offer, place) => {
        const old = offer.typed_as ? make("span", { class: "lst-old" }, `${shown(offer.typed_as)} → `) : "";
        const row = make("li", { role: "option", id: `${list.id}-${place}`, "aria-selected": "false" }, old, make("b", {}, shown(offer.tag)), make("span", {}, [offer.group, offer.pictures ? plural(offer.pictures, "picture") : "new here"].filter(Boolean).join(" · ")));
        row.addEventListener("mousedown", (event) => { event.preventDefault(); take(offer); });
        return row;
      }));
      list.hidden = !found.length;
      input.setAttribute("aria-expanded", String(!list.hidden));
    }
    input.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(fill, 90); });
    input.addEventListener("blur", close);
    input.addEventListener("keydown", (event) => {
      if (list.hidden) {
        if (event.key === "Enter" || event.key === "Escape") close(); // what is on its way comes too late
        return;
      }
      if (event.key.startsWith("Arrow")) { mine += 1; clearTimeout(timer); } // who chooses among these gets no others under the hand
      if (event.key === "ArrowDown" || event.key === "ArrowUp") at = (at + (event.key === "ArrowDown" ? 1 : found.length) + (at < 0 && event.key === "ArrowUp" ? 1 : 0)) % found.length;
      else if (event.key === "Enter" && at >= 0) take(found[at]);
      else if (event.key === "Escape") close();
      else return event.key === "Enter" ? close() : undefined;
      event.preventDefault();
      event.stopPropagation();
      if (!list.hidden) light();
    });
    queueMicrotask(() => { // beside the field, once it stands somewhere
      if (input.parentNode && !input.parentNode.classList.contains("lst-typing")) {
        const holder = make("span", { class: "lst-typing" });
        input.replaceWith(holder);
        holder.append(input);
      }
      if (input.parentNode) input.parentNode.append(list);
    });
    return { close };
  }

  // Shows some pictures, chosen, with an edit of them worked out.
  async function propose(action, tags, names, where) {
    chosen = new Set(names);
    look = { ...look, part: "pictures", where, page: 1 };
    keep();
    await refresh(true);
    shell.querySelector(".lst-batch").prefill(action, tags);
  }

  window.lorasmith.tags = {
    ask, send, go, quoted, listed, offering, undo, propose, drawers,
    look: () => look, again: () => { drawn = ""; return refresh(true); },
  };
})();

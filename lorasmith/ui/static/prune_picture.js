// One picture of the Prune page, large: why it should go or may stay, with keys; the next ones are fetched ahead.
(function () {
  "use strict";
  const { make, button, percent, shown } = window.lorasmith;
  const P = window.lorasmith.prune;
  const AHEAD = [1, 2, -1]; // pictures fetched before they are asked for
  const KEPT = 12; // pictures kept in the page's memory

  P.picture = async function (name, among) {
    const opener = document.activeElement;
    let names = among || [name];
    let at = Math.max(0, names.indexOf(name));
    let closed = false;
    const known = new Map(); // name -> its picture, and a promise of what is known of it

    const stage = make("div", { class: "lsp-stage" });
    const title = make("h3", {}), place = make("span", { class: "lsp-place" }), verdict = make("p", { class: "lsp-verdict", role: "status" });
    const back = button("‹ Back", () => go(-1), { "aria-keyshortcuts": "ArrowLeft", title: "arrow left" });
    const next = button("Next ›", () => go(1), { "aria-keyshortcuts": "ArrowRight", title: "arrow right" });
    const keep = button("Keep (K)", () => decide("keep"), { class: "lsp-keep", "aria-keyshortcuts": "K" });
    const drop = button("Drop (D)", () => decide("drop"), { class: "lsp-drop", "aria-keyshortcuts": "D X" });
    const undo = button("Undo (U)", () => takeBack("undo"), { "aria-keyshortcuts": "U Control+Z" });
    const shut = button("Close (Esc)", close, { "aria-keyshortcuts": "Escape" });
    const facts = make("div", { class: "lsp-facts" });
    const panel = make("aside", { class: "lsp-panel" }, make("div", { class: "lsp-tools" }, keep, drop, undo), make("div", { class: "lsp-tools" }, back, next, place, shut), title, verdict, facts);
    const dialog = make("div", { class: "lsp-one lsp", role: "dialog", "aria-modal": "true", "aria-label": "one picture", tabindex: "-1" }, stage, panel);
    document.body.append(dialog);
    dialog.focus();
    dialog.addEventListener("keydown", pressed);
    P.root().addEventListener("lsp-marked", marked);
    P.root().addEventListener("lsp-fresh", refreshed);
    show();
    if (!among) {
      const found = await P.get("names", P.ask());
      if (!closed && found.names && found.names.includes(names[at])) {
        at = found.names.indexOf(names[at]);
        names = found.names;
        drawPlace();
        ahead();
      }
    }

    function learn(of) {
      if (known.has(of)) return known.get(of);
      const image = new Image();
      image.className = "lsp-large";
      image.draggable = false;
      const about = P.get("picture", { name: of }).then((found) => {
        if (found.error) return found;
        image.alt = `${found.name}, ${P.told(found)}`;
        image.onerror = () => { image.onerror = () => { image.dataset.gone = "yes"; image.alt = "The picture cannot be shown: is its file still there?"; }; image.src = found.large; };
        image.src = found.view;
        image.decode().catch(() => null); // ahead of its turn
        return found;
      });
      const both = { image, about };
      known.set(of, both);
      while (known.size > KEPT) known.delete(known.keys().next().value);
      return both;
    }

    function ahead() {
      for (const step of AHEAD) if (names[at + step]) learn(names[at + step]);
    }

    async function show() {
      const of = names[at];
      const { image, about } = learn(of);
      stage.replaceChildren(image);
      title.textContent = of;
      drawPlace();
      const found = await about;
      if (closed || of !== names[at]) return;
      if (found.error) {
        facts.replaceChildren(make("p", { class: "ls-note warn", role: "alert" }, found.error));
        return;
      }
      draw(found);
      ahead();
    }

    function drawPlace() {
      place.textContent = names.length > 1 ? `${at + 1} of ${names.length}` : "";
      back.disabled = at === 0;
      next.disabled = at >= names.length - 1;
    }

    function draw(found) {
      drawVerdict(found);
      facts.replaceChildren(chips(found), ...families(found), ...table(found), ...tags(found));
      dialog.dataset.shown = found.name;
    }

    function drawVerdict(found) {
      const out = found.verdict === "drop";
      verdict.textContent = `${out ? "Dropped" : "Kept"}. ${found.why || "Nothing speaks against it."}`;
      verdict.className = `lsp-verdict ${out ? "lsp-out" : "lsp-in"}`;
      keep.setAttribute("aria-pressed", String(!out));
      drop.setAttribute("aria-pressed", String(out));
      stage.classList.toggle("lsp-faded", out);
    }

    function chips(found) {
      const rows = found.chips.map((one) => {
        const sure = one.sure === null ? [] : [make("span", { class: "lsp-sure" }, `${percent(one.sure)} sure`)];
        return make("li", {}, make("span", { class: `lsp-chip ${one.drops ? "lsp-against" : "lsp-perhaps"}` }, `${one.drops ? "" : "perhaps "}${one.reason}`), ...sure, make("p", {}, one.why));
      });
      return make("section", {}, make("h4", {}, "What speaks against it"), rows.length ? make("ul", { class: "lsp-chips" }, ...rows) : make("p", {}, "Nothing."));
    }

    function families(found) {
      return found.families.map((family) => {
        const others = family.members.map((one) => {
          const mark = `${one.name === family.best ? "★ " : ""}${one.verdict === "drop" ? "dropped" : "kept"}`;
          const small = button(make("img", { src: one.src, alt: `${one.name}, ${P.told(one)}` }), () => jump(one.name), { class: "lsp-small", title: one.beside, "aria-current": String(one.name === found.name) });
          return make("figure", {}, small, make("figcaption", {}, mark));
        });
        const kept = family.members.filter((one) => one.verdict !== "drop" && one.name !== found.name).map((one) => one.name);
        const swap = found.verdict === "drop" && kept.length ? [button("Keep this one instead", () => P.say("swap", { kept: found.name, dropped: kept }))] : [];
        return make("section", {}, make("h4", {}, family.kind === "twins" ? "Twins" : "Versions of one work"), make("div", { class: "lsp-smalls" }, ...others), ...swap);
      });
    }

    function table(found) {
      const rows = found.facts.flatMap(([label, value]) => [make("dt", {}, label), make("dd", {}, value)]);
      for (const source of found.sources) {
        const link = /^https?:\/\//.test(source) ? make("a", { href: source, target: "_blank", rel: "noreferrer noopener" }, source) : source;
        rows.push(make("dt", {}, "from"), make("dd", {}, link));
      }
      const shows = found.shows.length ? [make("p", { class: "lsp-hint" }, found.shows.join(" · "))] : [];
      return [make("section", {}, make("h4", {}, "Facts"), make("dl", {}, ...rows), ...shows)];
    }

    function tags(found) {
      const rows = found.tags.map(([category, its]) => make("p", {}, make("b", {}, `${category}: `), its.map(shown).join(", ")));
      return rows.length ? [make("section", { class: "lsp-tags" }, make("h4", {}, "Tags"), ...rows)] : [];
    }

    function go(step) {
      const to = Math.min(Math.max(0, at + step), names.length - 1);
      if (to === at) return;
      at = to;
      show();
    }

    function jump(to) {
      if (!names.includes(to)) names.splice(at + 1, 0, to);
      at = names.indexOf(to);
      show();
    }

    function decide(word) {
      P.say("decide", { names: [names[at]], verdict: word });
      go(1);
    }

    async function takeBack(way) {
      const done = await P.history(way);
      const named = done && /^(?:keep|drop) (\S+?)(?:,|$| )/.exec(done.what);
      if (named && names.includes(named[1])) at = names.indexOf(named[1]);
      known.clear();
      show();
    }

    // What is said here or on the page behind is seen at once; what another window says, when the page looks again.
    function marked(event) {
      for (const of of event.detail.names) {
        const one = known.get(of);
        if (one) known.set(of, { image: one.image, about: one.about.then((found) => (found.error ? found : { ...found, ...event.detail.change })) });
      }
      if (event.detail.names.has(names[at])) known.get(names[at])?.about.then((found) => { if (found.name === names[at]) drawVerdict(found); });
    }

    async function refreshed() {
      const of = names[at];
      for (const one of known.keys()) if (one !== of) forget(one);
      const found = await P.get("picture", { name: of });
      if (closed || of !== names[at] || found.error || !known.has(of)) return;
      known.get(of).about = Promise.resolve(found);
      draw(found);
      ahead();
    }

    // The picture itself stays: only what is said of it may be another now.
    function forget(of) {
      const one = known.get(of);
      one.about = one.about.then(async (before) => {
        const found = await P.get("picture", { name: of });
        return found.error ? before : found;
      });
    }

    function pressed(event) {
      const letter = event.key.toLowerCase();
      const way = P.wayOf(event);
      event.stopPropagation();
      if (event.key === "Tab") return keepInside(event);
      if (way) takeBack(way);
      else if (event.ctrlKey || event.metaKey || event.altKey) return;
      else if (event.key === "Escape") close();
      else if (letter === "k") decide("keep");
      else if (letter === "d" || letter === "x") decide("drop");
      else if (event.key === "ArrowRight") go(1);
      else if (event.key === "ArrowLeft") go(-1);
      else return;
      event.preventDefault();
    }

    function keepInside(event) {
      const stops = [...dialog.querySelectorAll("button:not(:disabled), a[href]")];
      const [last, first] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
      if (document.activeElement !== last && !(event.shiftKey && document.activeElement === dialog)) return;
      event.preventDefault();
      first.focus();
    }

    function close() {
      closed = true;
      P.root().removeEventListener("lsp-marked", marked);
      P.root().removeEventListener("lsp-fresh", refreshed);
      dialog.remove();
      const tile = [...P.root().querySelectorAll(".lsp-grid figure")].find((one) => one.dataset.name === names[at]);
      if (tile) tile.firstElementChild.focus();
      else if (opener && opener.isConnected) opener.focus();
    }
  };
})();

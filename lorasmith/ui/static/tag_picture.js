// One picture: its tags as chips with who says each and what becomes of it, open questions, order, captions of all sets, tokens.
(function () {
  "use strict";
  const { make, button, plural, percent, shown, tell } = window.lorasmith;
  const { ask, send, offering, look } = window.lorasmith.tags;
  const WINDOW = 75;
  const HEADS = {
    told: "In the caption, in its order", core: "The trigger stands for these", outfit: "An outfit's tag stands for these",
    "left out": "Left out of captions", "taken out": "Taken out by you",
  };
  const KEYS = "← → other pictures · A add · on a tag: Delete takes it out, Shift with ← → moves it, Home and End put it first and last · Esc closes";
  let open = null; // the dialog


  // Who says a tag: in words, with a colour beside.
  function badges(chip) {
    return Object.entries(chip.sources).filter(([source, score]) => source !== "person" || score > 0).map(([source, score]) => {
      const tagger = source.startsWith("tagger:");
      const kind = tagger ? "tagger" : source === "person" ? "person" : "site";
      const words = tagger ? `tagger ${percent(score)}` : source === "person" ? "you" : source === "booru" ? "site" : source;
      return make("span", { class: `lst-by lst-by-${kind}`, title: tagger ? `${source.slice(7)} scores it ${score}` : `said by ${words}` }, words);
    });
  }

  window.lorasmith.tags.picture = async function (name) {
    if (open) return open.show(name);
    open = dialog();
    await open.show(name);
  };

  function dialog() {
    const opener = document.activeElement;
    let found = null; // the last answer
    let dragged = null;
    let busy = false;
    let seen = 0;
    const title = make("b", { class: "lst-name" });
    const place = make("span", { class: "lst-place", role: "status" });
    const before = button("‹ before", () => turn("before"));
    const after = button("next ›", () => turn("after"));
    const undo = button("undo", async () => { await window.lorasmith.tags.undo(); again(); });
    const top = make("div", { class: "lst-top" }, title, place, before, after, undo, button("close", close));
    const picture = make("img", { alt: "" });
    const side = make("div", { class: "lst-side" });
    const box = make("div", { class: "lst-dialog", role: "dialog", "aria-modal": "true", "aria-label": "tags of one picture", tabindex: "-1" }, top, make("div", { class: "lst-body" }, make("div", { class: "lst-easel" }, picture), side));
    document.body.append(box);
    box.focus();

    async function show(name, focus) {
      const mine = ++seen;
      const answer = await ask("picture", { name, where: look().where, order: look().order });
      if (mine !== seen || !box.isConnected) return;
      if (answer.error) {
        tell(answer.error, "warn");
        if (!found) close();
        return;
      }
      const same = found && found.name === name;
      found = answer;
      draw(same);
      const focused = focus && Array.from(box.querySelectorAll(".lst-chip")).find((one) => one.dataset.tag === focus);
      if (focused) focused.focus();
      else if (!same || !box.contains(document.activeElement)) box.focus();
    }

    const again = (focus) => found && show(found.name, focus);
    const turn = (way) => found && found.place[way] && show(found.place[way]);

    async function edit(action, words, focus) {
      if (busy) return;
      busy = true;
      const done = await send("edit", { action, words, where: "", pictures: [found.name] });
      busy = false;
      if (done && !done.pictures && done.hints.length) tell(done.hints.join(" "));
      if (done) await again(focus);
    }

    // ---- what stands on the right

    function draw(same) {
      const scrolled = same ? side.scrollTop : 0;
      title.textContent = found.name;
      place.textContent = found.place.at ? `${found.place.at} of ${found.place.of}` : "no longer among those that fit the filter";
      before.disabled = !found.place.before;
      after.disabled = !found.place.after;
      if (!same) {
        const main = found.captions[0];
        picture.alt = `${found.name}, ${found.width} x ${found.height}: ${main ? main.now : ""}`;
        picture.onerror = () => { picture.onerror = () => { picture.alt = "The picture's file cannot be shown."; }; picture.src = found.small; };
        picture.src = found.large;
      }
      const [told, ...rest] = Object.keys(HEADS).map(chips);
      side.replaceChildren(meter(), questions(), ...adding(), told, captions(), ...rest, make("p", { class: "lst-keys" }, KEYS));
      side.scrollTop = scrolled;
    }

    function meter() {
      const main = found.captions[0];
      const all = main.meter;
      const over = all.tokens > WINDOW;
      const crossing = all.crossings[0];
      const words = over ? `${all.tokens} tokens: ${all.windows} windows of ${WINDOW}. The first ends at '${crossing ? crossing.tag : "?"}', which ${crossing && crossing.torn ? "is cut in two" : "moves into the next"}.` : `${all.tokens} of ${WINDOW} tokens`;
      const bar = make("div", { class: "lst-bar", "aria-hidden": "true" }, ...all.tags.map((one) => {
        const piece = make("i", { class: one.window > 1 || one.torn ? "lst-late" : "", title: `${one.tag}: ${plural(one.tokens, "token")}` });
        piece.style.flex = `${one.tokens} 1 0`;
        return piece;
      }));
      const room = make("i", { class: "lst-room" });
      room.style.flex = `${Math.max(0, WINDOW - all.tokens)} 1 0`;
      bar.append(room);
      return make("div", { class: `lst-meter${over ? " lst-over" : ""}` }, make("span", {}, words), bar);
    }

    function questions() {
      const rows = Object.entries(found.unset).map(([group, tags]) => make("div", { class: "lst-question" }, make("b", {}, `unset: ${group}`), ...tags.map((tag) => button(shown(tag), () => edit("add", [tag], tag), { "data-answer": tag }))));
      const fights = Object.values(found.conflicts).map((tags) => make("p", { class: "lst-fight" }, `${tags.map(shown).join(" and ")} contradict each other: take one out.`));
      return make("div", { class: "lst-questions" }, ...fights, ...rows);
    }

    function adding() {
      const input = make("input", { type: "text", id: "lst-add", placeholder: "add a tag (A)", autocomplete: "off", spellcheck: "false" });
      const form = make("form", { class: "lst-add" }, make("label", { for: "lst-add" }, "Add"), input, make("button", { type: "submit" }, "Add"));
      const add = () => { const words = window.lorasmith.tags.listed(input.value); if (words.length) edit("add", words, words[0].replaceAll(" ", "_")); };
      form.addEventListener("submit", (event) => { event.preventDefault(); add(); });
      offering(input, { word: /[^,]*$/, pick: shown, after: add });
      return [form];
    }

    function chips(state) {
      const mine = found.chips.filter((chip) => chip.state === state);
      if (!mine.length) return make("div", { hidden: "" });
      const list = make("ol", { class: "lst-chips", "data-state": state }, ...mine.map((chip) => one(chip, mine)));
      if (state === "told") {
        list.addEventListener("dragover", (event) => { if (dragged) { event.preventDefault(); over(list, event); } });
        list.addEventListener("drop", (event) => { event.preventDefault(); dropped(list, event); });
      }
      return make("section", {}, make("h4", {}, `${HEADS[state]} (${mine.length})`), list);
    }

    function one(chip, mine) {
      const out = chip.state === "taken out";
      const act = out ? button("put back", () => edit("add", [chip.tag], chip.tag), { "aria-label": `put ${shown(chip.tag)} back` }) : button("×", () => remove(chip, mine), { "aria-label": `take ${shown(chip.tag)} out`, tabindex: "-1" });
      const moves = chip.state !== "told" ? [] : [["⇤", "first"], ["⇥", "last"]].map(([mark, way]) => button(mark, () => edit(way, [chip.tag], chip.tag), { "aria-label": `put ${shown(chip.tag)} ${way}`, title: `${way} in the caption`, tabindex: "-1" }));
      const seen = chip.seen !== null && !Object.keys(chip.sources).some((source) => source.startsWith("tagger:")) ? [make("span", { class: "lst-by lst-by-doubt", title: "what the tagger sees of it" }, `seen ${percent(chip.seen)}`)] : [];
      const about = [chip.category, chip.group, chip.why, `on ${plural(chip.pictures, "picture")}`].filter(Boolean).join(" · ");
      const node = make("li", { class: "lst-chip", tabindex: "0", "data-tag": chip.tag, title: about, "aria-label": `${shown(chip.tag)}: ${about}` }, make("span", { class: "lst-word" }, shown(chip.tag)), ...badges(chip), ...seen, ...(chip.state === "left out" || chip.state === "outfit" ? [make("em", {}, chip.why)] : []), ...(moves.length ? [make("span", { class: "lst-moves" }, ...moves)] : []), act);
      if (chip.state === "told") {
        node.draggable = true;
        node.addEventListener("dragstart", (event) => { dragged = chip.tag; event.dataTransfer.effectAllowed = "move"; event.dataTransfer.setData("text/plain", chip.tag); node.classList.add("lst-dragged"); });
        node.addEventListener("dragend", () => { dragged = null; for (const each of box.querySelectorAll(".lst-dragged, .lst-drop")) each.classList.remove("lst-dragged", "lst-drop"); });
      }
      node.addEventListener("keydown", (event) => keyed(event, chip, mine));
      return node;
    }

    function remove(chip, mine) {
      const at = mine.indexOf(chip);
      const next = mine[at + 1] || mine[at - 1];
      return edit("remove", [chip.tag], next && next.tag);
    }

    function keyed(event, chip, mine) {
      if (event.target !== event.currentTarget) return;
      const told = chip.state === "told";
      const at = mine.indexOf(chip);
      if ((event.key === "Delete" || event.key === "Backspace") && chip.state !== "taken out") remove(chip, mine);
      else if (event.key === "Enter" && chip.state === "taken out") edit("add", [chip.tag], chip.tag);
      else if (told && event.key === "Home") edit("first", [chip.tag], chip.tag);
      else if (told && event.key === "End") edit("last", [chip.tag], chip.tag);
      else if (told && event.shiftKey && event.key === "ArrowLeft" && at > 0) move(chip.tag, at - 1);
      else if (told && event.shiftKey && event.key === "ArrowRight" && at + 1 < mine.length) move(chip.tag, at + 1);
      else return;
      event.preventDefault();
      event.stopPropagation();
    }

    // ---- order: what stands before the new place is put first, in that order

    function move(tag, to) {
      const order = found.chips.filter((chip) => chip.state === "told").map((chip) => chip.tag);
      const from = order.indexOf(tag);
      if (from === to || from < 0) return undefined;
      order.splice(from, 1);
      order.splice(to, 0, tag);
      if (to === order.length - 1) return edit("last", [tag], tag);
      return edit("first", order.slice(0, Math.max(from, to) + 1), tag);
    }

    function slot(list, event) {
      const rest = Array.from(list.children).filter((node) => node.dataset.tag !== dragged);
      const at = rest.findIndex((node) => {
        const shape = node.getBoundingClientRect();
        return event.clientY < shape.top || (event.clientY < shape.bottom && event.clientX < shape.left + shape.width / 2);
      });
      return { at: at < 0 ? rest.length : at, node: rest[at] };
    }

    function over(list, event) {
      for (const each of list.querySelectorAll(".lst-drop")) each.classList.remove("lst-drop");
      const { node } = slot(list, event);
      if (node) node.classList.add("lst-drop");
    }

    function dropped(list, event) {
      if (!dragged) return;
      const tag = dragged;
      const { at } = slot(list, event);
      dragged = null;
      move(tag, at);
    }

    // ---- the captions of all sets

    function captions() {
      const parts = found.captions.map((set) => {
        const stale = set.written && set.written !== set.now;
        const words = [make("h5", {}, set.name, make("small", {}, `${set.trained_on ? "trained on · " : ""}${plural(set.meter.tokens, "token")}`))];
        words.push(make("p", { class: stale ? "lst-old" : "" }, set.written || "not written yet"));
        if (stale) words.push(make("p", { class: "lst-now" }, make("b", {}, "when tag runs: "), set.now));
        return make("div", {}, ...words);
      });
      return make("section", {}, make("h4", {}, parts.length > 1 ? "Captions as written, set by set" : "The caption as written"), make("div", { class: "lst-captions" }, ...parts));
    }

    // ---- keys of the whole dialog

    box.addEventListener("keydown", (event) => {
      const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(event.target.tagName);
      if (event.key === "Escape") close();
      else if (event.key === "Tab") return inside(event);
      else if (typing || event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return;
      else if (event.key === "ArrowLeft" || event.key === "PageUp") turn("before");
      else if (event.key === "ArrowRight" || event.key === "PageDown") turn("after");
      else if (event.key === "a" || event.key === "A") box.querySelector("#lst-add").focus();
      else return;
      event.preventDefault();
      event.stopPropagation();
    });

    function inside(event) {
      const stops = Array.from(box.querySelectorAll("button, input, li[tabindex]")).filter((node) => !node.disabled && node.tabIndex >= 0 && node.offsetParent !== null);
      const [last, next] = event.shiftKey ? [stops[0], stops[stops.length - 1]] : [stops[stops.length - 1], stops[0]];
      if (document.activeElement !== last && !(event.shiftKey && document.activeElement === box)) return;
      event.preventDefault();
      next.focus();
    }

    function close() {
      box.remove();
      open = null;
      const tile = found && document.querySelector(`.lst-wall figure[data-name="${CSS.escape(found.name)}"] .lst-open`);
      if (tile) tile.focus();
      else if (opener && opener.isConnected) opener.focus();
    }

    return { show };
  }
})();

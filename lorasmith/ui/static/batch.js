// Touch-up of many pictures: steps and a filter, a preview of what would come out, and recipes.
(function () {
  "use strict";
  const { make, post, tell, dialog, ended, ask, button } = window.lorasmith;

  window.lorasmith.batch = async function () {
    const found = await ask({});
    if (found) panel(found);
  };

  function panel(found) {
    let asking = 0;
    const steps = make("textarea", { rows: 4, "aria-label": "steps", placeholder: "one step on a line, such as\nerase watermark,signature\nbackground grey" });
    const filter = make("input", { type: "text", "aria-label": "filter", placeholder: "tags: watermark | signature, -comic" });
    const name = make("input", { type: "text", "aria-label": "name of the recipe", placeholder: "no-logos" });
    const meant = make("span", { class: "ls-hint" });
    const told = make("p", { class: "ls-told", role: "status" });
    const sheet = make("div", { class: "ls-easel ls-sheet-view" }, make("p", {}, "Press Preview to see before and after."));
    const recipes = make("select", { "aria-label": "recipes" });
    const usage = make("details", {}, make("summary", {}, "all steps"), make("ul", {}, ...found.usage.map((one) => make("li", {}, one))));
    const side = make("div", { class: "ls-side" },
      make("section", {}, make("div", { class: "ls-pair" }, make("b", {}, "Touch up many"), button("close", () => box.close())), told),
      make("section", {}, make("h4", {}, "Recipe"), recipes),
      make("section", {}, make("h4", {}, "Steps"), steps, usage),
      make("section", {}, make("h4", {}, "Which pictures"), filter, meant),
      make("section", { class: "ls-pair" }, button("Preview", () => go(true)), button("Do it", () => go(false), { class: "ls-primary" })),
      make("section", {}, make("h4", {}, "Keep as a recipe"), make("div", { class: "ls-pair" }, name, button("Keep", keep))));
    const box = dialog("touch up many pictures", "ls-cropper ls-toucher", sheet, side);

    function fill() {
      const shown = found.recipes.map((one) => make("option", { value: one.name }, one.name));
      recipes.replaceChildren(make("option", { value: "" }, found.recipes.length ? "choose one" : "none yet"), ...shown);
      meant.textContent = `${found.pictures} pictures`;
    }

    recipes.addEventListener("change", () => {
      const one = found.recipes.find((each) => each.name === recipes.value);
      if (!one) return;
      steps.value = one.do.join("\n");
      filter.value = one.filter;
      name.value = one.name;
      count();
    });

    async function count() {
      const mine = ++asking;
      const fresh = await ask({ filter: filter.value });
      if (fresh && mine === asking) meant.textContent = `${fresh.pictures} pictures`;
    }
    filter.addEventListener("input", () => { const mine = ++asking; setTimeout(() => { if (mine === asking) count(); }, 300); });

    const body = () => ({ steps: steps.value.split("\n").filter((line) => line.trim()), filter: filter.value });

    async function keep() {
      const kept = await post("api/recipe", { ...body(), recipe: name.value.trim() });
      if (!kept) return;
      tell(`${kept.recipe} is kept in recipes.toml.`);
      found = (await ask({ filter: filter.value })) || found;
      fill();
      recipes.value = kept.recipe;
    }

    async function go(preview) {
      const buttons = Array.from(side.querySelectorAll("button")).filter((one) => one.textContent !== "close");
      buttons.forEach((one) => { one.disabled = true; });
      told.textContent = "In the line …";
      const done = await post("api/touch-up", { ...body(), preview });
      const end = done && await ended(done.job, box);
      buttons.forEach((one) => { one.disabled = false; });
      told.textContent = !end ? "" : end.state !== "done" ? end.error || `It was ${end.state}.` : preview ? "Nothing is changed yet." : "Done; undo takes all of it back.";
      if (!end || end.state !== "done") return;
      const log = make("a", { href: `api/log/${end.id}`, target: "_blank" }, "what was found and done");
      told.append(" ", log);
      const picture = make("img", { src: `${found.sheet}?job=${end.id}`, alt: "before and after" });
      picture.onerror = () => sheet.replaceChildren(make("p", {}, "There is nothing to show: no picture would change."));
      sheet.replaceChildren(picture);
    }

    fill();
    steps.focus();
  }
})();

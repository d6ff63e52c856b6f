// The Inspect page: what a .safetensors file is and holds. Of a file that is chosen here only the header leaves the browser.
(function () {
  "use strict";
  const { make, button, note, get, send, tell, project, state, go } = window.lorasmith;
  const LARGEST = 30e6; // bytes of a header that is sent; the server says the rest
  const KEPT = 1.5e6; // letters of a wish that is kept over a reload
  const AT_ONCE = 48; // numbers read out of a file at the same time
  const drawers = {}; // part -> function(node) that draws it; the other file adds its own
  let root = null;
  let wishes = { file: null, other: null };
  let part = "file";
  let loras = "";
  let turn = 0;

  // ---- asking

  async function ask(what, body) {
    const found = await send(`api/inspect/${what}`, body);
    return found.lost ? { error: "The server did not answer; try again in a moment." } : found;
  }

  const nameOf = (wish) => (wish ? wish.lora || wish.name || String(wish.path).split(/[\\/]/).pop() : "");

  function base64(bytes) {
    let text = "";
    for (let at = 0; at < bytes.length; at += 32768) text += String.fromCharCode(...bytes.subarray(at, at + 32768));
    return btoa(text);
  }

  const bytesOf = async (file, from, to) => new Uint8Array(await file.slice(from, to).arrayBuffer());

  // Reads the first bytes of a file: the header's length, the header, and the alphas that it names (2 to 8 bytes each).
  async function read(file) {
    const start = await bytesOf(file, 0, 8);
    const wish = { name: file.name, size: file.size, start: base64(start), header: "", scalars: {} };
    if (start.length < 8) return wish;
    const length = Number(new DataView(start.buffer).getBigUint64(0, true));
    if (length > LARGEST || 8 + length > file.size) return wish; // the server says what is wrong with it
    const header = await bytesOf(file, 8, 8 + length);
    wish.header = base64(header);
    wish.scalars = await alphas(file, header);
    return wish;
  }

  async function alphas(file, header) {
    let entries = {};
    try {
      entries = JSON.parse(new TextDecoder().decode(header)) || {};
    } catch (error) {
      return {}; // the server says so
    }
    const found = {};
    const rows = Object.entries(entries).filter(([name, one]) => name.endsWith(".alpha") && one && Array.isArray(one.data_offsets) && one.data_offsets[1] - one.data_offsets[0] <= 8).slice(0, 5000);
    for (let at = 0; at < rows.length; at += AT_ONCE) {
      await Promise.all(rows.slice(at, at + AT_ONCE).map(async ([name, one]) => {
        found[name] = base64(await bytesOf(file, 8 + header.length + one.data_offsets[0], 8 + header.length + one.data_offsets[1]));
      }));
    }
    return found;
  }

  // ---- which file

  async function take(files, slot) {
    const given = [...files];
    if (!given.length) return;
    const slots = given.length > 1 ? ["file", "other"] : [slot];
    try {
      for (const [at, one] of slots.entries()) wishes[one] = await read(given[at]);
    } catch (error) {
      return tell("The file could not be read here: is it still there, and may it be read?", "warn");
    }
    open(slots.includes("other") && wishes.file ? "beside" : "file");
  }

  function want(wish, slot) {
    wishes[slot || "file"] = wish;
    open(slot === "other" ? "beside" : "file");
  }

  function open(name) {
    part = name;
    keep();
    return draw();
  }

  function keep() {
    const text = JSON.stringify({ wishes, part });
    if (text.length < KEPT) sessionStorage.setItem(`ls-inspect-${project()}`, text);
    else sessionStorage.removeItem(`ls-inspect-${project()}`);
  }

  // A place to choose a file: dropped, from the disk, by its path, or out of the project.
  function chooser(slot, words) {
    const input = make("input", { type: "file", accept: ".safetensors", multiple: "", class: "lsi-file", "aria-label": words });
    input.addEventListener("change", () => take(input.files, slot).then(() => { input.value = ""; }));
    const drop = make("label", { class: "lsi-drop" }, make("b", {}, words), make("span", {}, "drop a .safetensors file, or click to choose one. Only its header is read, however large it is."), input);
    drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("lsi-over"); });
    drop.addEventListener("dragleave", () => drop.classList.remove("lsi-over"));
    drop.addEventListener("drop", (event) => { event.preventDefault(); drop.classList.remove("lsi-over"); take(event.dataTransfer.files, slot); });
    const path = make("input", { type: "text", placeholder: "or a path, such as /models/Lora/fox.safetensors", "aria-label": `${words}: a path`, spellcheck: "false", autocomplete: "off" });
    const form = make("form", { class: "lse-tools" }, path, make("button", { type: "submit" }, "Look"));
    form.addEventListener("submit", (event) => { event.preventDefault(); want({ path: path.value.trim() }, slot); });
    const own = make("select", { "aria-label": `${words}: a LoRA of the project`, class: "lsi-own", hidden: "" });
    own.addEventListener("change", () => own.value && want({ lora: own.value }, slot));
    return make("div", { class: "lsi-chooser", "data-slot": slot }, drop, form, own);
  }

  function mount(place) {
    root = place;
    try {
      ({ wishes, part } = { wishes, part, ...JSON.parse(sessionStorage.getItem(`ls-inspect-${project()}`) || "{}") });
    } catch (error) {
      wishes = { file: null, other: null };
    }
    loras = "";
    root.replaceChildren(make("div", { class: "lsi-choosers" }, chooser("file", "A file to look into"), chooser("other", "A second one to compare with")), make("nav", { class: "lse-parts", role: "tablist", "aria-label": "parts of the Inspect page" }), make("div", { class: "lsi-part", "aria-live": "polite" }));
    draw();
  }

  async function own() {
    const answer = await get("api/inspect/loras");
    const found = answer.error ? { loras: [] } : answer;
    const key = JSON.stringify(found);
    if (key === loras || !root) return;
    loras = key;
    for (const one of root.querySelectorAll(".lsi-own")) {
      one.hidden = !found.loras.length;
      one.replaceChildren(make("option", { value: "" }, `or one of ${found.project}'s ${found.loras.length} LoRAs`), ...found.loras.map((name) => make("option", { value: name }, name)));
      const wish = wishes[one.closest(".lsi-chooser").dataset.slot];
      one.value = (wish && found.loras.includes(wish.lora) && wish.lora) || "";
    }
  }

  async function draw() {
    if (!root) return;
    const mine = ++turn;
    const parts = { file: nameOf(wishes.file) || "File", ...(wishes.other ? { beside: "Both beside each other" } : {}), ...(wishes.file && project() ? { project: `Beside ${(state() || {}).trigger || "the project"}`, import: "Take its settings over" } : {}) };
    if (!(part in parts)) part = "file";
    root.querySelector(".lse-parts").replaceChildren(...Object.entries(parts).map(([name, words]) => button(words, () => open(name), { role: "tab", "data-part": name, "aria-selected": String(name === part) })));
    for (const one of root.querySelectorAll(".lsi-own")) one.value = (wishes[one.closest(".lsi-chooser").dataset.slot] || {}).lora || "";
    const node = root.querySelector(".lsi-part");
    node.dataset.part = "";
    if (!wishes.file) return node.replaceChildren(note(wishes.other ? "Choose the first file too." : "Choose a LoRA or a checkpoint: its base, its network, the settings and tags that it was trained with are told, as far as they stand in it."));
    node.classList.add("lsi-waiting");
    const inside = await drawers[part]();
    if (mine !== turn) return;
    node.classList.remove("lsi-waiting");
    node.replaceChildren(...inside);
    node.dataset.part = part;
  }

  // ---- one file

  drawers.file = async function () {
    const found = await ask("file", { file: wishes.file });
    if (found.error) return [note(found.error, "warn")];
    const head = [make("h3", {}, found.name), make("p", {}, make("span", { class: "lse-kind" }, found.kind), ` ${found.megabytes} MB`, found.network ? `, ${found.network}` : "", found.made_by ? `, made by ${found.made_by}` : "")];
    const trigger = found.trigger ? [make("p", {}, "called by ", make("b", {}, found.trigger), " ", button("copy", () => window.lorasmith.evaluate.copy(found.trigger)))] : [];
    const cards = [["Base", found.base], ["Training", found.training], ...found.settings.map((group) => [group.title, group.rows]), ["Not a setting here", found.other_settings], ["Hash", found.hash], ["File", [...(found.title ? [["title", found.title]] : []), ...found.facts]]];
    const silent = found.kind === "lora" && !found.settings.length ? [note("Whoever made it wrote no training settings into it.")] : [];
    return [
      make("header", { class: "lsi-head" }, ...head, ...trigger), ...silent,
      make("div", { class: "lsi-cards" }, ...cards.filter(([, rows]) => rows.length).map(([title, rows]) => card(title, rows))),
      ...(found.modules.length ? [section("Network, part by part", table(["part", "layers", "what"], found.modules.map((row) => [row.part, row.layers, row.words])))] : []),
      ...(found.buckets.length || found.folders.length ? [make("div", { class: "lsi-two" },
        ...(found.buckets.length ? [section("Sizes trained at", table(["size", "draws"], found.buckets.map((row) => [row.size, row.draws])))] : []),
        ...(found.folders.length ? [section("Folders", table(["folder", "repeats", "pictures"], found.folders.map((row) => [row.folder, row.repeats, row.pictures])))] : []))] : []),
      ...cloud(found), ...raw(found),
    ];
  };

  const section = (title, ...inside) => make("section", {}, make("h4", {}, title), ...inside);

  function card(title, rows) {
    return make("section", { class: "lsi-card" }, make("h4", {}, title), make("dl", {}, ...rows.flatMap(([name, value, help]) => [make("dt", help ? { title: help } : {}, name), make("dd", {}, value)])));
  }

  function table(heads, rows) {
    const cell = (value) => make("td", typeof value === "number" ? { class: "ls-number" } : {}, String(value));
    return make("div", { class: "ls-table lsi-table" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col" }, head)))), make("tbody", {}, ...rows.map((row) => make("tr", {}, ...row.map(cell))))));
  }

  function cloud(found) {
    if (!found.tags.length) return [];
    const most = Math.max(...found.tags.map(([, count]) => count));
    const words = found.tags.map(([tag, count]) => make("li", { style: `--size:${(0.78 + (0.75 * Math.log(1 + count)) / Math.log(1 + most)).toFixed(2)}rem` }, `${tag.replaceAll("_", " ")} `, make("small", {}, String(count))));
    const more = found.all_tags > found.tags.length ? `, the commonest ${found.tags.length} here` : "";
    const refused = found.refused_tags ? [make("p", { class: "lse-soft" }, `${found.refused_tags} more are not shown.`)] : [];
    return [section(`Tags: ${found.all_tags}${more}`, make("ul", { class: "lsi-cloud" }, ...words), ...refused)];
  }

  function raw(found) {
    if (!found.metadata.length) return [];
    const rows = found.metadata.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]);
    return [make("details", {}, make("summary", {}, `Metadata as it stands: ${found.metadata.length} keys`), make("dl", { class: "lsi-raw" }, ...rows))];
  }

  // ---- when it is drawn, and how other pages lead here

  document.addEventListener("ls-state", () => {
    const place = document.querySelector('[data-ls-own="inspect"]');
    if (!place || place.offsetParent === null) return;
    if (place !== root) mount(place);
    if (root.dataset.version !== (state() || {}).version + project()) {
      root.dataset.version = (state() || {}).version + project();
      own();
    }
  });

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-inspect]");
    if (!target) return;
    event.preventDefault();
    const place = document.querySelector('[data-ls-own="inspect"]');
    go("inspect");
    if (place && place !== root) mount(place);
    want({ lora: target.dataset.inspect }, "file");
  });

  window.lorasmith.inspect = { ask, table, section, drawers, want, open, again: draw, wishes: () => wishes, nameOf };
})();

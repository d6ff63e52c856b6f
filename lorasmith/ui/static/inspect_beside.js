// The Inspect page's comparisons: two files, a file and the open project, and a file's settings taken over into it.
(function () {
  "use strict";
  const { make, button, note, tell } = window.lorasmith;
  const I = window.lorasmith.inspect;
  const FATES = { taken: "Taken as they are", changed: "Taken, but different here", not_there_yet: "No such setting here", not_applicable: "Of no use here", unknown: "Not known" };

  I.drawers.beside = async function () {
    const found = await I.ask("beside", { file: I.wishes().file, other: I.wishes().other });
    if (found.error) return [note(found.error, "warn")];
    const apart = found.rows.filter(([, one, other]) => one !== other).length;
    return [make("header", { class: "lsi-head" }, make("h3", {}, `${found.a} beside ${found.b}`), make("p", {}, apart === 0 ? "Nothing that the headers tell differs." : apart === 1 ? "One line differs." : `${apart} lines differ.`)), I.table(["", found.a, found.b], found.rows)];
  };

  I.drawers.project = async function () {
    const found = await I.ask("project", { file: I.wishes().file });
    if (found.error) return [note(found.error, "warn")];
    const lists = [["Alike in both", found.same], ["Set in the project, and not told by the file", found.silent]].filter(([, its]) => its.length);
    return [
      make("header", { class: "lsi-head" }, make("h3", {}, `${found.name} beside the settings of ${found.project}`)),
      found.rows.length ? I.table(["setting", found.name, found.project], found.rows) : note("Nothing differs: the project would train as this file was trained."),
      ...lists.map(([title, its]) => I.section(title, make("p", {}, its.join(", ")))),
    ];
  };

  I.drawers.import = async function () {
    const found = await I.ask("import", { file: I.wishes().file, preview: true });
    if (found.error) return [note(found.error, "warn")];
    const take = button("Write this into lorasmith.toml", async () => {
      take.disabled = true;
      const done = await I.ask("import", { file: I.wishes().file, preview: false });
      if (done.error) {
        take.disabled = false;
        return tell(done.error, "warn");
      }
      tell("The settings stand in lorasmith.toml; the next training takes them.");
      I.open("project");
    }, { class: "lse-primary" });
    const rows = Object.entries(FATES).filter(([fate]) => found[fate].length).map(([fate, title]) => I.section(`${title}: ${found[fate].length}`, I.table(["in the file", "there", "here"], found[fate].map((row) => [row.key, row.there, row.here]))));
    return [
      make("header", { class: "lsi-head" }, make("h3", {}, `What ${I.nameOf(I.wishes().file)} would set`), make("p", { class: "lse-soft" }, `Read as ${found.maker}. Nothing is written yet.`)),
      make("div", { class: "lse-tools" }, take), make("pre", { class: "lsi-toml" }, found.train.join("\n")), ...rows,
    ];
  };
})();

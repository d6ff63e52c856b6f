// The Train page while it trains and after: figures, the loss, samples of each epoch beside each other, LoRA files.
(function () {
  "use strict";
  const { make } = window.lorasmith;
  const t = window.lorasmith.training;
  const STATES = { "at work": "at work", stopped: "stopped", ended: "ended" };

  t.drawers.run = async function (node) {
    const told = t.told() || { runs: [] };
    if (!told.run) {
      node.replaceChildren(make("p", { class: "ls-note" }, told.error || (t.job() ? "It begins in a moment: the run shows here with its first step." : "Nothing was trained yet. What would stop or spoil a training stands under “Before it trains”.")));
      return;
    }
    if (!node.querySelector(".lsr-figures-of-run")) build(node);
    const run = told.run;
    chooser(node.querySelector(".lsr-runs"), told);
    facts(node.querySelector(".lsr-figures-of-run"), run);
    t.plot(node.querySelector(".lsr-plot-place"), run);
    drawOnce(node.querySelector(".lsr-notes"), run.notes, () => run.notes.map((one) => make("p", { class: "ls-note" }, one)));
    drawOnce(node.querySelector(".lsr-samples"), run.samples, () => samples(run));
    drawOnce(node.querySelector(".lsr-files"), [run.files, run.ended_epochs], () => files(run));
    drawOnce(node.querySelector(".lsr-grids"), run.grids, () => run.grids.map((one) => make("a", { href: one.href, "data-large": "" }, make("img", { src: one.src, alt: `test grid of the WebUI, run ${run.run}`, loading: "lazy" }))));
    for (const [part, list] of [["samples", run.samples], ["files", run.ended_epochs], ["grids", run.grids]]) node.querySelector(`.lsr-${part}`).closest("section").hidden = !list.length;
  };

  function build(node) {
    const section = (title, ...inside) => make("section", {}, make("h3", {}, title), ...inside);
    node.replaceChildren(
      make("div", { class: "lsr-runs" }), make("dl", { class: "lsr-figures lsr-figures-of-run" }), make("div", { class: "lsr-notes" }),
      section("Loss", make("div", { class: "lsr-plot-place" })), section("Samples, epoch by epoch", make("div", { class: "lsr-samples" })),
      section("Epochs and LoRA files", make("div", { class: "lsr-files" })), section("Test grids of the WebUI", make("div", { class: "lsr-grids" })),
    );
  }

  function drawOnce(place, content, draw) {
    const key = JSON.stringify(content);
    if (place.dataset.drawn === key) return;
    place.dataset.drawn = key;
    place.replaceChildren(...draw());
  }

  // ---- which run

  function chooser(place, told) {
    const key = JSON.stringify([told.runs, told.run.run]);
    if (place.dataset.drawn === key) return;
    place.dataset.drawn = key;
    const select = make("select", { id: "lsr-run" }, ...told.runs.map(([name, state]) => make("option", { value: name }, `run ${name}, ${STATES[state]}`)));
    select.value = told.run.run;
    select.addEventListener("change", () => t.go({ run: select.value === told.runs[0][0] ? "" : select.value }));
    const about = Object.entries(told.run.settings).map(([name, value]) => `${t.spaced(name)} ${t.worth(value)}`).join(", ");
    place.replaceChildren(make("label", { for: "lsr-run" }, "Run"), select, make("span", { class: "lsr-soft" }, [told.run.base, about].filter(Boolean).join(": ")));
  }

  // ---- figures

  function pace(seconds) {
    if (seconds === null || !seconds) return "–";
    return seconds < 1 ? `${t.figure(1 / seconds)} a second` : `one in ${t.figure(seconds)} s`;
  }

  function facts(place, run) {
    const job = t.job();
    const live = job && job.state === "running" && job.stage === "train" && job.total === run.steps;
    const step = live ? Math.max(job.done, run.step) : run.step;
    const left = run.left === null ? null : run.pace * Math.max(0, run.steps - step);
    const memory = run.memory ? `${(run.memory / 1e9).toFixed(run.memory < 1e10 ? 2 : 1)} GB` : "–";
    const rows = [
      ["step", run.steps ? `${step.toLocaleString("en")} of ${run.steps.toLocaleString("en")}` : "–"], ["epoch", run.epochs ? `${run.epoch} of ${run.epochs}` : "–"],
      ["time left", run.state === "ended" ? "none" : run.state === "stopped" ? `${t.lasting(left)}, once it goes on` : left === null ? "told after the first steps" : `about ${t.lasting(left)}`],
      ["worked", `${t.lasting(run.worked)}${run.sittings > 1 ? `, in ${run.sittings} sittings` : ""}`], ["steps", pace(run.pace)],
      ["loss, smoothed", t.figure(run.loss)], [run.memory_of ? `memory of the ${run.memory_of}` : "memory", memory], ["learning rate", t.figure(run.unet_lr)],
    ];
    drawOnce(place, rows, () => rows.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, value, ...(name === "learning rate" && run.rates.length > 1 ? [t.spark(run.rates)] : [])))));
  }

  // ---- samples: a row for each prompt, a column for each epoch

  function samples(run) {
    const epochs = [...new Set(run.samples.flatMap((row) => row.files.map(([epoch]) => epoch)))].sort((a, b) => a - b);
    const rows = run.samples.map((row, down) => {
      const files = Object.fromEntries(row.files);
      const cells = epochs.map((epoch, across) => {
        if (!files[epoch]) return make("td", {}, make("span", { class: "lsr-soft" }, "–"));
        const one = make("button", { type: "button", class: "lsr-sample", "aria-label": `epoch ${epoch}: ${row.prompt}, show large` }, picture(files[epoch].src, `sample of epoch ${epoch}: ${row.prompt}`));
        one.addEventListener("click", () => large(run, epochs, down, across, one));
        return make("td", {}, one);
      });
      return make("tr", {}, make("th", { scope: "row" }, row.prompt || "(empty prompt)"), ...cells);
    });
    const head = make("thead", {}, make("tr", {}, make("th", {}, make("span", { class: "lsr-hidden" }, "prompt")), ...epochs.map((epoch) => make("th", { scope: "col" }, `epoch ${epoch}`))));
    return [make("div", { class: "lsr-strip", tabindex: "0", role: "region", "aria-label": "samples by prompt and epoch" }, make("table", {}, head, make("tbody", {}, ...rows)))];
  }

  function picture(src, alt) {
    const node = make("img", { src, alt, loading: "lazy", width: "144", height: "144" });
    node.addEventListener("error", () => node.replaceWith(make("span", { class: "lsr-gone" }, "the file is gone")));
    return node;
  }

  function large(run, epochs, down, across, opener) {
    const at = () => (run.samples[down].files.find(([epoch]) => epoch === epochs[across]) || [])[1];
    const step = (dx, dy) => {
      const [to, row] = [across + dx, down + dy];
      if (to < 0 || to >= epochs.length || row < 0 || row >= run.samples.length) return false;
      [across, down] = [to, row];
      return true;
    };
    const look = () => {
      const [file, prompt] = [at(), run.samples[down].prompt];
      const loss = run.ended_epochs.find((one) => one.epoch === epochs[across]);
      const rows = [["prompt", prompt], ["epoch", String(epochs[across])], ["mean loss", loss ? t.figure(loss.loss) : "–"]];
      return { name: `${epochs[across]}-${down}`, src: file ? file.href : "", alt: `sample of epoch ${epochs[across]}: ${prompt}`, title: `Epoch ${epochs[across]}`, panel: [make("dl", {}, ...rows.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)])), make("p", { class: "lsr-soft" }, "Left and right: the epochs. Up and down: the prompts.")] };
    };
    window.lorasmith.zoom({ label: "a sample", step, look, keys: {}, closed: () => opener });
  }

  // ---- epochs and files

  function files(run) {
    const inHost = t.place().dataset.inHost === "yes";
    const checked = run.ended_epochs.some((one) => one.validation_loss !== null);
    const best = Math.min(...run.ended_epochs.map((one) => (one.validation_loss === null ? Infinity : one.validation_loss)));
    const saved = Object.fromEntries(run.files.map((one) => [one.epoch, one]));
    const rows = run.ended_epochs.map((one) => {
      const file = saved[one.epoch];
      const link = file ? make("a", { href: file.href, download: file.name }, file.name) : make("span", { class: "lsr-soft" }, "not saved, or its file is gone");
      const send = file && inHost ? [make("button", { type: "button", "data-send": file.name }, "send to txt2img")] : [];
      const inspect = file ? [" ", make("button", { type: "button", "data-inspect": file.name, "aria-label": `inspect ${file.name}` }, "inspect")] : [];
      const valid = checked ? [make("td", { class: "ls-number" }, one.validation_loss === best ? make("b", { title: "the lowest" }, t.figure(one.validation_loss)) : t.figure(one.validation_loss))] : [];
      return make("tr", {}, make("th", { scope: "row" }, String(one.epoch)), make("td", { class: "ls-number" }, one.step.toLocaleString("en")), make("td", { class: "ls-number" }, t.figure(one.loss)), ...valid, make("td", {}, link, ...inspect, ...send), make("td", { class: "ls-number" }, file ? `${file.megabytes} MB` : ""));
    });
    const heads = ["epoch", "step", "mean loss", ...(checked ? ["validation"] : []), "LoRA file", "size"];
    const evaluate = run.state === "ended" ? [make("p", { class: "lsr-soft" }, "Which epoch is best is not seen from the loss: ", make("button", { type: "button", "data-go": "evaluate" }, "evaluate"), " renders and compares them.")] : [];
    return [make("div", { class: "ls-table" }, make("table", {}, make("thead", {}, make("tr", {}, ...heads.map((words) => make("th", { scope: "col", class: words === "epoch" || words === "LoRA file" ? "" : "ls-number" }, words)))), make("tbody", {}, ...rows))), ...evaluate];
  }

  // Steps come between two versions of the record: the figures go on with the job.
  document.addEventListener("ls-state", () => {
    const node = t.place() && t.place().querySelector(".lsr-figures-of-run");
    const told = t.told();
    if (node && node.offsetParent && told && told.run && t.job()) facts(node, told.run);
  });
})();

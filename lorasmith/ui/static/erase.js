// The brush: a person paints over what shall go, and the mask travels as a PNG of the picture's own size.
(function () {
  "use strict";
  const { make, button, post, tell, project, state } = window.lorasmith;

  window.lorasmith.erase = function (tile) {
    const address = tile.querySelector("a[data-large]").href;
    const picture = new Image();
    picture.onload = () => paint(tile.dataset.name, picture);
    picture.onerror = () => tell("The picture cannot be shown.", "warn");
    picture.src = address;
  };

  function paint(name, picture) {
    const canvas = make("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
    const mask = make("canvas", { width: picture.naturalWidth, height: picture.naturalHeight });
    const size = make("input", { type: "range", min: 4, max: 200, value: Math.max(8, Math.round(picture.naturalWidth / 25)), title: "brush size" });
    const prompt = make("input", { type: "text", placeholder: "what should be there instead (may be empty)", class: "ls-prompt" });
    const strokes = [];
    const close = () => box.remove();
    const webui = (state() || {}).has_webui;
    const tools = make("div", { class: "ls-tools" }, "brush", size, button("undo", () => { strokes.pop(); redraw(); }));
    if (webui) tools.append(prompt, button("Erase with the WebUI's model", () => go("webui"), { class: "ls-primary" }));
    tools.append(button("Erase from the surroundings", () => go("surroundings"), { class: webui ? "" : "ls-primary" }), button("cancel", close));
    const box = make("div", { class: "ls-eraser", role: "dialog" }, tools, make("div", { class: "ls-easel" }, canvas));

    function line(context, stroke) {
      context.lineCap = context.lineJoin = "round";
      context.lineWidth = stroke.size;
      context.beginPath();
      stroke.points.forEach(([x, y], at) => (at ? context.lineTo(x, y) : context.moveTo(x, y)));
      if (stroke.points.length === 1) context.lineTo(stroke.points[0][0] + 0.1, stroke.points[0][1]);
      context.stroke();
    }

    function redraw() {
      const shown = canvas.getContext("2d");
      shown.drawImage(picture, 0, 0);
      shown.strokeStyle = "rgba(255, 60, 60, 0.55)";
      strokes.forEach((stroke) => line(shown, stroke));
    }

    function at(event) {
      const frame = canvas.getBoundingClientRect();
      return [((event.clientX - frame.left) * canvas.width) / frame.width, ((event.clientY - frame.top) * canvas.height) / frame.height];
    }

    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      strokes.push({ size: Number(size.value), points: [at(event)] });
      redraw();
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!canvas.hasPointerCapture(event.pointerId)) return;
      strokes[strokes.length - 1].points.push(at(event));
      redraw();
    });

    async function go(way) {
      if (!strokes.length) return tell("Paint over what shall go first.", "warn");
      const drawing = mask.getContext("2d");
      drawing.fillStyle = "black";
      drawing.fillRect(0, 0, mask.width, mask.height);
      drawing.strokeStyle = "white";
      strokes.forEach((stroke) => line(drawing, stroke));
      const done = await post("api/erase", { project: project(), name, with: way, prompt: prompt.value, mask: mask.toDataURL("image/png") });
      if (done) { tell("The erasing is in the line; the picture changes when it is done."); close(); }
    }

    document.body.append(box);
    redraw();
  }
})();

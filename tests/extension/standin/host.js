/* The few functions that a WebUI's own script offers to extensions. */
function gradioApp() { return document; }
function updateInput(target) { target.dispatchEvent(new Event("input", { bubbles: true })); }
function switch_to_txt2img() { gradioApp().querySelector("#tabs button").click(); }
const uiLoadedCallbacks = [];
function onUiLoaded(callback) { uiLoadedCallbacks.push(callback); }
document.addEventListener("DOMContentLoaded", () => {
  const waiting = setInterval(() => {
    if (!gradioApp().querySelector("#txt2img_prompt")) return;
    clearInterval(waiting);
    uiLoadedCallbacks.forEach((callback) => callback());
  }, 50);
});

"""The tab's HTML: a bar, a place for the frame, the set-up page; javascript/lorasmith.js brings it to life."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr  # noqa: TID253  (the host has it loaded already)

from lorasmith_webui.memory import memory

TITLE, ELEMENT = "LoRA Smith", "lorasmith"

# Every part but the bar begins hidden; the script shows what the state asks for.
SKELETON = """
<div id="lorasmith_root" data-token="{token}">
  <div class="ls-bar" role="status">
    <span class="ls-dot" data-ls="dot"></span><b>LoRA Smith</b> <span data-ls="version"></span>
    <span class="ls-words" data-ls="words">…</span>
    <span class="ls-gap"></span>
    <button type="button" data-ls-do="log" aria-expanded="false" hidden>Log</button>
    <button type="button" data-ls-do="restart" hidden>Restart</button>
  </div>
  <p class="ls-open" data-ls="open" hidden>This WebUI is open to everyone who can reach its address, and so is this tab with
    everything in it. Start the WebUI with <code>--gradio-auth name:password</code> to ask for a login.</p>
  <section class="ls-log" data-ls="log" hidden>
    <header><b>Log of LoRA Smith's own process</b><span class="ls-gap"></span><button type="button" data-ls-do="save-log">Save</button>
      <button type="button" data-ls-do="log">Close</button></header>
    <pre data-ls="log-text" tabindex="0"></pre><small data-ls="log-file"></small>
  </section>
  <section class="ls-setup" data-ls="setup" hidden>
    <div class="ls-card">
      <h2 data-ls="setup-title">Set up LoRA Smith</h2>
      <p data-ls="setup-lead">From a character's name to a tested LoRA: find pictures, clean them, tag them, train, compare.
        Once set up, all of it opens here in this tab.</p>
      <dl data-ls="setup-facts">
        <dt>Installs</dt><dd>lorasmith's own Python packages (torch, diffusers, gradio and more, in the tested versions) into a
          folder of their own. The WebUI's packages stay as they are.</dd>
        <dt>Where</dt><dd data-ls="setup-folder"></dd>
        <dt>Python</dt><dd data-ls="setup-python"></dd>
        <dt>Size</dt><dd data-ls="setup-size"></dd>
        <dt>Time</dt><dd>a few minutes, most of it the download; you can go on using the WebUI</dd>
      </dl>
      <details data-ls="setup-more"><summary>Another build of torch</summary>
        <label>Address of a package index with builds of torch, for instance of the small build without CUDA (pytorch.org,
          “Get started”, shows them). Empty: the default for this machine.
          <input type="url" data-ls="setup-index" placeholder="https://…" spellcheck="false" autocomplete="off"></label>
      </details>
      <p class="ls-error" data-ls="setup-error" role="alert" hidden></p>
      <div class="ls-progress" data-ls="setup-progress" hidden><ol data-ls="setup-steps"></ol></div>
      <div class="ls-buttons">
        <button type="button" class="ls-main" data-ls-do="setup-start">Set up</button>
        <button type="button" data-ls-do="setup-look" hidden>Look again</button>
        <button type="button" data-ls-do="setup-cancel" hidden>Cancel</button>
        <span data-ls="setup-time"></span>
      </div>
      <pre data-ls="setup-log" tabindex="0" hidden></pre>
    </div>
  </section>
  <section class="ls-wait" data-ls="wait" hidden><i></i><h3 data-ls="wait-title">LoRA Smith is starting…</h3>
    <p data-ls="wait-words"></p><pre data-ls="wait-log" hidden></pre></section>
  <div class="ls-frame" data-ls="frame" hidden></div>
</div>
"""


def build() -> list[tuple[Any, str, str]]:
    """Returns our tab as the host wants it: blocks, title, id."""
    with gr.Blocks(analytics_enabled=False) as blocks:
        page = gr.HTML(SKELETON.format(token=html.escape(memory().token)))
    for component in (blocks, page):
        component.do_not_save_to_config = True  # else the host keeps today's text for ever
    return [(blocks, TITLE, ELEMENT)]

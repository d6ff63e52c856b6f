"""Behaves as Stable Diffusion WebUI does around an extension; started by tests in a venv with a host's pins.

The order is the hosts': install.py in a process of its own, preload, scripts by file location, the UI, its server, the
server's layers, `on_app_started`. Lines on standard input play the person: `reload [PORT]` ("Reload UI") and `stop`.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"


def say(word, **facts):
    print(f"STANDIN {word} {json.dumps(facts)}", flush=True)


def run_hook(extension):
    """As at every start: the host's Python, a shell, no arguments, output shown at the end."""
    started = time.monotonic()
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    command = f'"{sys.executable}" "{extension / "install.py"}"'
    done = subprocess.run(command, shell=True, env=environment, capture_output=True, text=True, cwd=Path.cwd())
    say("hook", seconds=time.monotonic() - started, rc=done.returncode, out=done.stdout, err=done.stderr)


def load_by_location(path):
    """Executes a file as a module that sys.modules does not know."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def preload(extension, parser):
    if (extension / "preload.py").is_file():
        load_by_location(extension / "preload.py").preload(parser)


def load_scripts(extension, keeps_path):
    """Forge leaves the extension's folder on sys.path; A1111 puts the whole list back afterwards."""
    from modules import scripts

    before = list(sys.path)
    if str(extension) not in sys.path:
        sys.path.insert(0, str(extension))
    scripts.current_basedir = str(extension)
    for path in sorted((extension / "scripts").glob("*.py")):
        module = load_by_location(path)
        defined = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == path.stem]
        say("script", name=path.name, defined=defined)
    if not keeps_path:
        sys.path[:] = before


def page_words(extension, prefix):
    """The tags that a host puts into its page for its own scripts and the extension's."""
    scripts = [HERE / "host.js", *sorted((extension / "javascript").glob("*.js"))]
    js = "".join(f'<script src="{prefix}file={path}?{path.stat().st_mtime}"></script>\n' for path in scripts)
    return js, f'<link rel="stylesheet" href="{prefix}file={extension / "style.css"}">'


def put_into_page(words):
    from gradio import routes

    original = getattr(routes.templates, "original", None) or routes.templates.TemplateResponse
    routes.templates.original = original

    def with_words(*args, **kwargs):
        response = original(*args, **kwargs)
        head = "".join(words).encode() + b"</head>"
        response.body = response.body.replace(b"</head>", head, 1)
        response.headers["content-length"] = str(len(response.body))
        return response

    routes.templates.TemplateResponse = with_words


def build(shared, script_callbacks):
    """The host's own two tabs, and those of extensions."""
    import gradio as gr

    with gr.Blocks(analytics_enabled=False) as txt2img:
        gr.Textbox(label="Prompt", elem_id="txt2img_prompt", lines=3)
        gr.Textbox(label="Negative prompt", elem_id="txt2img_neg_prompt", lines=3)
    with gr.Blocks(analytics_enabled=False) as settings:
        for info in shared.opts.data_labels.values():
            (info.component or gr.Textbox)(value=info.default, label=info.label, **info.component_args)
    tabs = [(txt2img, "txt2img", "txt2img")]
    for answer in script_callbacks.call("ui_tabs"):
        tabs += answer or []
    tabs.append((settings, "Settings", "settings"))
    for blocks, title, _ in tabs[1:-1]:
        for component in blocks.blocks.values():
            if not getattr(component, "do_not_save_to_config", False) and component is not blocks:
                say("would-save", tab=title, component=type(component).__name__)
    with gr.Blocks(analytics_enabled=False, title="Stand-in WebUI") as demo:
        tabs_of_host = gr.Tabs(elem_id="tabs")
        with tabs_of_host:
            for blocks, title, element in tabs:
                with gr.TabItem(title, id=element, elem_id=f"tab_{element}"):
                    blocks.render()
    return demo


def start(options, extension):
    """One life of the UI; returns its Blocks with the server up."""
    from modules import script_callbacks, shared

    shared.ui_is_being_built = True
    load_scripts(extension, keeps_path=options.kind == "forge")
    script_callbacks.call("before_ui")
    script_callbacks.call("ui_settings")
    for pair in options.option:
        key, _, value = pair.partition("=")
        shared.opts.data[key] = json.loads(value)
    demo = shared.demo = build(shared, script_callbacks)
    shared.ui_is_being_built = False
    demo.queue(64)
    put_into_page(page_words(extension, ""))
    login = [tuple(pair.split(":", 1)) for pair in (options.gradio_auth or "").split(",") if pair] or None
    app, _, _ = demo.launch(
        server_name="0.0.0.0" if options.listen else None,
        server_port=options.port,
        auth=login,
        prevent_thread_lock=True,
        quiet=True,
        show_api=False,
        allowed_paths=[str(extension), str(HERE)],
        root_path=f"/{options.subpath}" if options.subpath else "",
    )
    add_layers(options, app)
    script_callbacks.call("app_started", demo, app)
    return demo


def add_layers(options, app):
    """A1111 packs replies; a host with --api also has a layer made of a function, which reads replies piece by piece."""
    from starlette.middleware.base import BaseHTTPMiddleware
    from starlette.middleware.gzip import GZipMiddleware

    async def passed_on(request, call_next):
        return await call_next(request)

    app.middleware_stack = None
    app.user_middleware = [layer for layer in app.user_middleware if layer.cls.__name__ != "CORSMiddleware"]
    if options.kind == "a1111":
        app.add_middleware(GZipMiddleware, minimum_size=1000)
    if options.api:
        app.add_middleware(BaseHTTPMiddleware, dispatch=passed_on)
    app.middleware_stack = app.build_middleware_stack()


def read_options():
    parser = argparse.ArgumentParser()
    parser.add_argument("--kind", choices=["a1111", "forge"], required=True)
    parser.add_argument("--extension", type=Path, required=True)
    parser.add_argument("--option", action="append", default=[], help="a setting of the host, as KEY=JSON")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--subpath", default="")
    parser.add_argument("--gradio-auth")
    parser.add_argument("--gradio-auth-path")
    parser.add_argument("--api", action="store_true")
    parser.add_argument("--listen", action="store_true")
    parser.add_argument("--share", action="store_true")
    parser.add_argument("--disable-extension-access", action="store_true")  # A1111 works it out by itself
    parser.add_argument("--server-name")
    parser.add_argument("--tls-keyfile")
    return parser


def main():
    parser = read_options()
    extension = parser.parse_known_args()[0].extension.resolve()
    run_hook(extension)
    preload(extension, parser)
    options = parser.parse_args()
    sys.path.insert(0, str(HERE))
    from modules import script_callbacks, shared

    vars(shared.cmd_opts).update(vars(options))
    demo = start(options, extension)
    say("ready", port=options.port)
    for line in sys.stdin:
        if line.strip() == "stop":
            break
        word, *port = line.split() or [""]
        if word != "reload":
            continue
        options.port = int(port[0]) if port else options.port  # a host whose port was taken meanwhile takes another
        began = time.monotonic()
        demo.close()
        time.sleep(0.2)
        script_callbacks.call("before_reload")
        script_callbacks.call("script_unloaded")
        script_callbacks.clear()
        demo = start(options, extension)
        say("reloaded", seconds=time.monotonic() - began)
    demo.close()
    say("stopped")


if __name__ == "__main__":
    main()

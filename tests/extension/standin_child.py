"""Speaks what `lorasmith ui --child` speaks, for tests of the tab: a small server with routes that try the pass-through.

Copied as `lorasmith/__main__.py` into a copy of the extension. With STANDIN_CHILD=gradio it has a real Gradio page too.
"""

import asyncio
import hmac
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

ROOT = Path.cwd()
BLOCK = b"0123456789abcdef" * 4096  # 64 KiB
streams = {"open": 0}


def first_line():
    words = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    return words


def end_with_parent():
    sys.stdin.read()
    time.sleep(float(os.environ.get("STANDIN_CHILD_SLOW_END", "0")))
    os._exit(0)


def routes(words):  # noqa: C901  (a list of small ones)
    from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response, StreamingResponse
    from starlette.routing import Route

    async def health(request):
        jobs = json.loads((ROOT / "jobs.json").read_text()) if (ROOT / "jobs.json").is_file() else []
        return JSONResponse({"ok": True, "version": "0.0.1", "pid": os.getpid(), "jobs": jobs})

    async def told(request):
        return JSONResponse({**words, "environment": sorted(os.environ), "folder": str(ROOT)})

    async def echo(request):
        headers = [[name.decode("latin-1"), value.decode("latin-1")] for name, value in request.scope["headers"]]
        body = await request.body()
        scope = request.scope
        return JSONResponse({
            "method": request.method,
            "path": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "headers": headers,
            "body": body[:1000].decode("latin-1"),
        })

    async def upload(request):
        size, largest = 0, 0
        async for chunk in request.stream():
            size, largest = size + len(chunk), max(largest, len(chunk))
        return JSONResponse({"bytes": size, "chunked": "transfer-encoding" in request.headers})

    async def big(request):
        size = int(request.query_params["bytes"])

        async def blocks():
            left = size
            while left:
                yield BLOCK[:left]
                left -= min(left, len(BLOCK))

        headers = {} if "unsized" in request.query_params else {"Content-Length": str(size)}
        return StreamingResponse(blocks(), media_type="application/octet-stream", headers=headers)

    async def events(request):
        number, gap = int(request.query_params.get("n", "0")), float(request.query_params.get("gap", "0.1"))

        async def lines():
            streams["open"] += 1
            try:
                at = 0
                while not number or at < number:
                    at += 1
                    yield f"data: {at}\n\n"
                    await asyncio.sleep(gap)
            finally:
                streams["open"] -= 1

        return StreamingResponse(lines(), media_type="text/event-stream")

    async def slow(request):
        streams["open"] += 1
        try:
            while not await request.is_disconnected():
                await asyncio.sleep(0.05)
        finally:
            streams["open"] -= 1
        return Response("late")

    async def open_streams(request):
        return JSONResponse(streams)

    async def file(request):
        return FileResponse(ROOT / "file.bin", filename="ein Bild.bin")

    async def cookie(request):
        return Response("sweet", headers={"Set-Cookie": "access-token=stolen; Path=/", "Connection": "X-Secret", "X-Secret": "1"})

    async def away(request):
        return RedirectResponse(request.query_params["to"])

    async def crash(request):
        os._exit(3)

    async def page(request):
        return Response("<!doctype html><title>child</title><body>the child's page</body>", media_type="text/html")

    return [
        Route("/api/health", health),
        Route("/told", told),
        Route("/echo{rest:path}", echo, methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]),
        Route("/upload", upload, methods=["POST"]),
        Route("/big", big),
        Route("/events", events),
        Route("/slow", slow),
        Route("/streams", open_streams),
        Route("/file", file),
        Route("/cookie", cookie),
        Route("/away", away),
        Route("/crash", crash, methods=["POST"]),
        *([] if os.environ.get("STANDIN_CHILD") == "gradio" else [Route("/", page)]),
    ]


def with_gradio(app, words):
    import gradio as gr

    def count():
        for number in range(1, 11):
            time.sleep(0.2)
            yield str(number)

    with gr.Blocks(title="lorasmith") as demo:
        gr.Markdown("## The stand-in child\nA Gradio page of its own, seen through the WebUI.")
        shown = gr.Textbox(label="Count", elem_id="count")
        gr.Button("Count to ten", elem_id="start").click(count, None, shown, queue=True)
        sent = gr.File(label="Upload", elem_id="sent")
        size = gr.Textbox(label="Size", elem_id="size")
        sent.upload(lambda path: str(Path(path).stat().st_size), sent, size)
        gr.DownloadButton("Download", value=str(ROOT / "file.bin"), elem_id="down")
        words_sent = "{lorasmith: 'txt2img', prompt: 'sam, <lora:sam:1>', negative: 'blurry'}"
        send = f"() => window.parent.postMessage({words_sent}, location.origin)"
        gr.Button("Send to txt2img", elem_id="send").click(None, None, None, js=send)
    app = gr.mount_gradio_app(app, demo, path="/", root_path=words["root_path"], ssr_mode=False, allowed_paths=[str(ROOT)])
    demo.config["connect_heartbeat"] = False
    return app


def guarded(app, key):
    """Answers only whoever knows the key, as the real child does."""

    async def call(scope, receive, send):
        if scope["type"] == "http":
            keys = [value for name, value in scope["headers"] if name == b"x-lorasmith-key"]
            if len(keys) != 1 or not hmac.compare_digest(keys[0], key.encode()):
                await send({"type": "http.response.start", "status": 403, "headers": []})
                await send({"type": "http.response.body", "body": b""})
                return
        await app(scope, receive, send)

    return call


def main():
    words = first_line()
    print("a line of log before the start", flush=True)
    if (ROOT / "crash-at-start").is_file():
        print("PlantedError: no luck today", flush=True)
        sys.exit(3)
    import uvicorn
    from fastapi import FastAPI

    app = FastAPI()
    app.router.routes[0:0] = routes(words)
    if os.environ.get("STANDIN_CHILD") == "gradio":
        app = with_gradio(app, words)
    # Said to be TCP outright: else asyncio does not switch Nagle's delay off, and each small reply takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", words["port"]))
    listener.listen()
    ready = {"port": listener.getsockname()[1], "pid": os.getpid(), "version": "0.0.1"}
    config = uvicorn.Config(guarded(app, words["key"]), log_level="warning")
    server = uvicorn.Server(config)

    async def serve():
        task = asyncio.ensure_future(server.serve(sockets=[listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        print("LORASMITH-READY " + json.dumps(ready), flush=True)
        await task

    asyncio.run(serve())


main()

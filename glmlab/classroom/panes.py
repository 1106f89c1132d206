"""Frames for dask's dashboard inside JupyterLab: each shows a plot while there is a dashboard.

dask-labextension looks for a dashboard itself. Each time it finds none it waits longer before it looks again, in the
end two minutes. A reader who opens a client after reading a page would not see the work of the next cells. Therefore
this module always answers that there is a dashboard. The extension then opens a page of this module, which looks for
the dashboard every second.

This module is an extension of the Jupyter server. `glmlab.classroom.lab` switches it on.
"""

import html
import json

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

__all__ = ["PANES", "panes_url"]

#: {address on the dashboard: name} of the plots that the course opens.
PANES = {"individual-task-stream": "Task Stream", "individual-progress": "Progress",
         "individual-workers-memory": "Workers Memory"}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>
  html, body, iframe {{ margin: 0; border: 0; width: 100%; height: 100%; background: white; }}
  p {{ margin: 0; padding: 1em; font: 15px/1.5 sans-serif; color: #444; }}
</style>
<p role="status">There are no workers now. Their work is shown here as soon as a cell has run
<code>client = cluster.client()</code>.</p>
<iframe hidden title="{title}" data-plot="{plot}"></iframe>
<script>
const frame = document.querySelector("iframe"), words = document.querySelector("p");
let shown = false;
if (window.frameElement) window.frameElement.title = document.title;  // JupyterLab gives its frame no name
async function look() {{
  const up = await fetch("{up}").then((answer) => answer.json()).catch(() => false);
  if (up !== shown) {{
    shown = words.hidden = up;
    frame.hidden = !up;
    frame.src = up ? frame.dataset.plot : "about:blank";
  }}
  setTimeout(look, 1000);
}}
look();
</script></html>
"""


def panes_url(port: int) -> str:
    """The panes' address, relative to the notebook server: right on a laptop, through a tunnel and on a hub."""
    return f"glmlab/panes/{port}"


class PaneHandler(JupyterHandler):
    """A request for a port's panes."""

    async def plots(self, port: str) -> dict:
        """{name: address} of the plots of the dashboard at this port of the machine; {} when there is none."""
        address = f"http://127.0.0.1:{port}/individual-plots.json"
        try:  # a long time-out: the dashboard runs in the notebook's kernel, and a busy kernel delays it
            answer = await AsyncHTTPClient().fetch(address, request_timeout=60)
            return json.loads(answer.body)
        except (OSError, HTTPClientError, ValueError):  # nobody listens, or something else does
            return {}


class PlotsHandler(PaneHandler):
    """The plots. dask-labextension takes any answer for a sign that there is a dashboard."""

    @web.authenticated
    async def get(self, port):
        ours = {f"Individual {name}": f"/{route}" for route, name in PANES.items()}
        self.finish(await self.plots(port) or ours)


class UpHandler(PaneHandler):
    """Is there a dashboard? Answers true or false."""

    @web.authenticated
    async def get(self, port):
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(bool(await self.plots(port))))


class FrameHandler(PaneHandler):
    """The page with one plot."""

    @web.authenticated
    def get(self, port, route):
        addresses = {"plot": ("proxy", port, route), "up": (panes_url(port), "up.json")}
        joined = {name: url_path_join(self.base_url, *parts) for name, parts in addresses.items()}
        texts = {"title": f"Dask: {PANES.get(route, route)}", **joined}
        self.finish(PAGE.format(**{name: html.escape(text) for name, text in texts.items()}))


def _jupyter_server_extension_points():
    """The Jupyter server calls this to find the extension."""
    return [{"module": __name__}]


def _load_jupyter_server_extension(app):
    """Add the handlers; the Jupyter server calls this."""
    base = url_path_join(app.web_app.settings["base_url"], panes_url(r"(\d+)"))
    routes = {"individual-plots.json": PlotsHandler, "up.json": UpHandler, "(.+)": FrameHandler}
    app.web_app.add_handlers(".*$", [(f"{base}/{route}", handler) for route, handler in routes.items()])

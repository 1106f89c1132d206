"""Frames for dask's dashboard inside JupyterLab: each waits for the dashboard, shows its plot, and waits again.

dask-labextension asks by itself whether a dashboard is there. Each time nobody answers it waits longer before it asks
again, at last two minutes, so that whoever reads a page and then opens a client would not see the work of the next
cells. Therefore it is told that there is one, and what it opens is a page of ours that looks every second.

This module is an extension of the Jupyter server. `glmlab.lab` switches it on.
"""

import html
import json

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError

__all__ = ["PANES", "panes_url"]

#: The plots that the course opens: their address on the dashboard, and their name.
PANES = {"individual-task-stream": "Task Stream", "individual-progress": "Progress",
         "individual-workers-memory": "Workers Memory"}

PAGE = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{route}</title>
<style>
  html, body, iframe {{ margin: 0; border: 0; width: 100%; height: 100%; background: white; }}
  p {{ margin: 0; padding: 1em; font: 15px/1.5 sans-serif; color: #444; }}
</style>
<p role="status">There are no workers now. Their work is shown here as soon as a cell has run
<code>client = cluster.client()</code>.</p>
<iframe hidden title="{route}" data-plot="{plot}"></iframe>
<script>
const frame = document.querySelector("iframe"), words = document.querySelector("p");
let shown = false;
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
    """Where the panes look, relative to the notebook server: so it holds on a laptop, through a tunnel, on a hub."""
    return f"glmlab/panes/{port}"


class PaneHandler(JupyterHandler):
    """What all three handlers share."""

    async def plots(self, port: str) -> dict:
        """The plots of the dashboard at a port of this machine, {} when there is none."""
        address = f"http://127.0.0.1:{port}/individual-plots.json"
        try:  # patience: a cell that computes in the kernel delays the dashboard, which lives there as well
            answer = await AsyncHTTPClient().fetch(address, request_timeout=60)
            return json.loads(answer.body)
        except (OSError, HTTPClientError, ValueError):  # nobody, or somebody else
            return {}


class PlotsHandler(PaneHandler):
    """Which plots there are. dask-labextension takes an answer as a sign that there is a dashboard."""

    @web.authenticated
    async def get(self, port):
        ours = {f"Individual {name}": f"/{route}" for route, name in PANES.items()}
        self.finish(await self.plots(port) or ours)


class UpHandler(PaneHandler):
    """Is there a dashboard? true or false."""

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
        self.finish(PAGE.format(**{name: html.escape(text) for name, text in {"route": route, **joined}.items()}))


def _jupyter_server_extension_points():
    return [{"module": __name__}]


def _load_jupyter_server_extension(app):
    """Called by the Jupyter server."""
    base = url_path_join(app.web_app.settings["base_url"], panes_url(r"(\d+)"))
    routes = {"individual-plots.json": PlotsHandler, "up.json": UpHandler, "(.+)": FrameHandler}
    app.web_app.add_handlers(".*$", [(f"{base}/{route}", handler) for route, handler in routes.items()])

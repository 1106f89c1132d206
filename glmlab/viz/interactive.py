"""Bokeh views that live without a kernel and without a network.

BokehJS goes into the page itself, once (about 1.7 MB), never by address. The scripts of a view wait
until both BokehJS and their place on the page are there, because front ends attach outputs late.
"""

import json
import uuid

from .style import COLOURS, RC

_loaded = False  # has this kernel put BokehJS on the page?

EMBED = """<div id="{place}" style="min-height:1em">
This view moves only where scripts run: <code>viz.load_bokeh()</code> loads them again;
the static picture shows the same facts.</div>
<script>(function () {{
  const item = {item};
  let tries = 0;
  function draw() {{
    const place = document.getElementById("{place}");
    if (window.Bokeh && place) {{ place.textContent = ""; window.Bokeh.embed.embed_item(item, "{place}"); }}
    else if (tries++ < 200) {{ setTimeout(draw, 50); }}
  }}
  draw();
}})();</script>"""


def bokehjs():
    """BokehJS and its widgets as one inline ``<script>`` element."""
    from bokeh.resources import Resources

    code = "\n".join(Resources(mode="inline", components=["bokeh", "bokeh-widgets"]).js_raw)
    return f"<script>{code}</script>"


def load_bokeh():
    """Put BokehJS on this page (again): for a set-up cell, or after outputs were cleared."""
    from IPython.display import HTML, display

    global _loaded
    _loaded = True
    display(HTML(bokehjs()))


def embed(model):
    """HTML that draws a Bokeh model; the first of a kernel brings BokehJS along."""
    from bokeh.embed import json_item

    global _loaded
    script, _loaded = ("" if _loaded else bokehjs()), True
    item = json.dumps(json_item(model)).replace("</", "<\\/")  # no early end of the script element
    return script + EMBED.format(place=f"view-{uuid.uuid4().hex}", item=item)


def bokeh_figure(**options):
    """A Bokeh figure in the course's style: same colours, letters of at least 11 pt, no logo."""
    from bokeh.plotting import figure

    # As wide as there is room for, and as high on a phone as on a desk: letters do not shrink with the width.
    fig = figure(height=380, sizing_mode="stretch_width", max_width=780, **options)
    fig.toolbar.logo = None
    for axis in fig.axis:
        axis.axis_label_text_font_size = f"{RC['axes.labelsize']}pt"
        axis.major_label_text_font_size = f"{RC['xtick.labelsize']}pt"
        axis.axis_label_text_font_style = "normal"
    fig.grid.grid_line_color = RC["grid.color"]
    fig.title.text_font_size, fig.title.text_color = f"{RC['axes.titlesize']}pt", COLOURS[-1]
    return fig


def place_slider(labels, at, title):
    """A slider over the places 0, 1 … of a list, each shown by its label. Arrow keys move it."""
    from bokeh.models import CustomJSTickFormatter, Slider

    # The slider asks for 14.999999999999998 where it stands at 15.
    name = CustomJSTickFormatter(code="return labels[Math.round(tick)]", args={"labels": labels})
    slider = Slider(start=0, end=len(labels) - 1, step=1, value=at, format=name, title=title)
    slider.sizing_mode, slider.stylesheets = "stretch_width", [":host { font-size: 12pt; }"]
    return slider

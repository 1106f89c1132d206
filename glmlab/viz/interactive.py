"""Bokeh views that work without a kernel and without a network.

The text of BokehJS (about 1.7 MB) is put into the page itself, once. The script of a view waits until BokehJS is
loaded and the view's element is on the page, because front ends insert outputs late.
"""

import json
import uuid

from .style import COLOURS, RC

_loaded = False  # has this kernel put BokehJS into the page?

EMBED = """<div id="{place}" style="min-height:1em">
This view moves only where scripts run: <code>viz.load_bokeh()</code> loads them again;
the static picture shows the same facts.</div>
<script>(function () {{
  const item = {item};
  let tries = 0;
  // What fits a selector below a node, in shadow roots as well.
  function inside(node, selector) {{
    return [...node.querySelectorAll("*")].flatMap((e) => [
      ...(e.matches(selector) ? [e] : []), ...(e.shadowRoot ? inside(e.shadowRoot, selector) : [])]);
  }}
  // Say a slider's name and the value that it shows. Bokeh names no slider, and says its place instead of its value.
  function name(handle) {{
    const title = handle.getRootNode().querySelector(".bk-slider-title");
    function say() {{
      const [words, value] = title.childNodes;
      handle.setAttribute("aria-label", words.textContent.replace(/: $/, ""));
      if (handle.getAttribute("aria-valuetext") != value.textContent) {{
        handle.setAttribute("aria-valuetext", value.textContent);
      }}
    }}
    const changes = new MutationObserver(say);
    changes.observe(title, {{childList: true}});
    changes.observe(handle, {{attributeFilter: ["aria-valuetext"]}});
    say();
  }}
  function draw() {{
    const place = document.getElementById("{place}");
    if (window.Bokeh && place) {{
      place.textContent = "";
      window.Bokeh.embed.embed_item(item, "{place}").then(() => inside(place, ".noUi-handle").forEach(name));
    }}
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
    """Put BokehJS into the page, also if it was there before: for a set-up cell, or after outputs were cleared."""
    from IPython.display import HTML, display

    global _loaded
    _loaded = True
    display(HTML(bokehjs()))


def embed(model):
    """HTML that draws a Bokeh model; the first one of a kernel has BokehJS in it."""
    from bokeh.embed import json_item

    global _loaded
    script, _loaded = ("" if _loaded else bokehjs()), True
    item = json.dumps(json_item(model)).replace("</", "<\\/")  # so that no text ends the script element
    return script + EMBED.format(place=f"view-{uuid.uuid4().hex}", item=item)


def bokeh_figure(**options):
    """A Bokeh figure in the course's style: the same colours, text of at least 11 pt, no logo."""
    from bokeh.plotting import figure

    # As wide as the page, and always as high: text does not shrink with the width.
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
    """A slider over the indices 0, 1 … of a list, which shows the label of each. Arrow keys move it."""
    from bokeh.models import CustomJSTickFormatter, Slider

    # At place 15 the slider passes 14.999999999999998: round it.
    name = CustomJSTickFormatter(code="return labels[Math.round(tick)]", args={"labels": labels})
    slider = Slider(start=0, end=len(labels) - 1, step=1, value=at, format=name, title=title)
    slider.sizing_mode, slider.stylesheets = "stretch_width", [":host { font-size: 12pt; }"]
    return slider

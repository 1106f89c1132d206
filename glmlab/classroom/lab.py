"""Open the course in JupyterLab: on loopback, with a token, with dask's panes beside the notebook, off the network."""

import difflib
import json
import os
import shutil
from pathlib import Path

from glmlab.classroom.panes import PANES, panes_url
from glmlab.machine.local import DASHBOARD_PORT, free_port
from glmlab.workspace import fill, my_folder

FIRST = "00_start_here.ipynb"
WORKSPACE = "glmlab"
ENCRYPTION = "KernelManager.transport_encryption"  # a setting of jupyter_client
CONTRAST = Path(__file__).with_name("contrast.css")  # letters that are dark enough
SETTINGS = {
    "@jupyterlab/apputils-extension:notification": {"fetchNews": "false", "checkForUpdates": False},
    # The notebooks start their clusters themselves: hide the extension's own way to start one.
    "dask-labextension:plugin": {"hideClusterManager": True},
    # A line that is wider than its cell goes on below, so that no code is hidden at the right.
    "@jupyterlab/notebook-extension:tracker": {"codeCellConfig": {"lineWrap": True}},
}


def lab(args=(), my=None):
    """Copy the missing notebooks into the folder `my` and run JupyterLab there until it is stopped.

    `args` are passed on to JupyterLab (`--no-browser`, `--port=9000`, `--ServerApp.base_url=/course/`). A setting that
    JupyterLab does not have is a ValueError, before anything is written.
    """
    my = Path(my or my_folder())
    state = my / ".lab"
    set_environment(state)
    from jupyterlab.labapp import LabApp  # only now: on import it reads its folders from the environment

    known = known_settings()
    check_settings(args, known)
    fill(my)
    prepare(state / "settings", state / "workspaces", FIRST, int(os.environ[DASHBOARD_PORT]))
    # JupyterLab reads this file where it was told `custom_css`, as here and not on a hub, whose style is not ours.
    style = state / "config" / "custom" / "custom.css"
    style.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(CONTRAST, style)
    LabApp.launch_instance([*options(my, state), *encryption(known), *args])


def known_settings() -> list[str]:
    """All settings, as `ServerApp.port`, of JupyterLab, its server and its proxy, which carries dask's panes."""
    import jupyter_server_proxy  # noqa: F401 - its settings are known once it is imported
    from traitlets.config import Configurable

    found, left = [], [Configurable]
    while left:
        kind = left.pop()
        left += kind.__subclasses__()
        found += [f"{kind.__name__}.{name}" for name in kind.class_trait_names(config=True)]
    return found


def check_settings(args, known: list[str]):
    """ValueError if an argument of the form --Class.setting=value is not among the known settings.

    Jupyter passes over such an argument: it writes a warning among the other lines of its log and starts.
    """
    for arg in args:
        name = arg.removeprefix("--").split("=")[0]
        if "." in name and name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"Did you mean --{near[0]}?" if near else "python -m jupyterlab --help-all lists them."
            raise ValueError(f"JupyterLab has no setting {name}. {hint}")


def prepare_hub():
    """Copy the missing notebooks and write the settings for a JupyterLab that Binder or a hub starts in the clone."""
    from jupyterlab.commands import get_app_dir, get_workspaces_dir

    fill(my_folder())
    port = int(os.environ.get(DASHBOARD_PORT, 8787))
    prepare(Path(get_app_dir()) / "settings", Path(get_workspaces_dir()), f"my/{FIRST}", port)


def prepare(settings: Path, layouts: Path, notebook: str, port: int):
    """Write JupyterLab's settings and the layout of its window. In an older layout only the panes' address changes."""
    from jupyter_core.paths import jupyter_config_dir
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    settings.mkdir(parents=True, exist_ok=True)
    (settings / "overrides.json").write_text(json.dumps(SETTINGS, indent=1))
    # JupyterLab has its own MathJax. Its page also names one on the network, for older extensions: remove the address.
    page = settings / "page_config.json"
    known = json.loads(page.read_text()) if page.exists() else {}
    page.write_text(json.dumps(known | {"fullMathjaxUrl": ""}))
    extensions = Path(jupyter_config_dir()) / "jupyter_server_config.d"
    extensions.mkdir(parents=True, exist_ok=True)
    switched_on = {"ServerApp": {"jpserver_extensions": {"glmlab.classroom.panes": True}}}
    (extensions / "glmlab.json").write_text(json.dumps(switched_on))
    layouts.mkdir(parents=True, exist_ok=True)
    saved = WorkspacesManager(str(layouts))
    wanted = saved.load(WORKSPACE)
    if not wanted["data"]:
        wanted = layout(notebook)
    wanted["data"]["dask-dashboard-launcher"] = {"url": panes_url(port), "cluster": ""}
    saved.save(WORKSPACE, json.dumps(wanted))


def set_environment(state: Path):
    """Set the environment variables that JupyterLab and its kernels read."""
    # The reader's own settings of Jupyter could switch the token off: the course uses its own.
    os.environ["JUPYTER_CONFIG_DIR"] = str(state / "config")
    os.environ["BOKEH_RESOURCES"] = "inline"  # a figure brings its script along
    os.environ.setdefault(DASHBOARD_PORT, str(free_port(8787)))


def options(my: Path, state: Path) -> list[str]:
    """JupyterLab's command line. The port is the first free one from 8888."""
    return [
        f"--ServerApp.root_dir={my}",
        "--ServerApp.ip=127.0.0.1",
        "--ServerApp.allow_root=True",  # the usual user of a container; loopback and the token protect all the same
        f"--LabApp.default_url=/lab/workspaces/{WORKSPACE}/tree/{FIRST}",
        f"--LabApp.workspaces_dir={state / 'workspaces'}",
        f"--LabApp.app_settings_dir={state / 'settings'}",
        "--LabApp.custom_css=True",
        # No connection leaves the machine: no news, no check for updates, no list of extensions.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ]


def encryption(known: list[str]) -> list[str]:
    """The setting that encrypts what the server and its kernels send each other on this machine, where both can.

    Without it, ipykernel warns at each start of a kernel that other programs may listen. Versions of jupyter_client
    before 8.9 have no such setting, and a ZeroMQ without curves refuses it.
    """
    import zmq

    able = ENCRYPTION in known and zmq.has("curve")
    return [f"--{ENCRYPTION}=auto"] if able else []


def layout(notebook: str) -> dict:
    """A JupyterLab workspace: the notebook, three panes of dask's dashboard to its right, the file browser closed.

    In a window of 1280 x 720 pixels a line of code has room for 85 characters, and a pane is 400 pixels wide. With a
    "current" widget JupyterLab would open the left side, whatever "collapsed" says.
    """
    panes = [f"dask-dashboard-launcher:/{route}" for route in PANES]
    right = split("vertical", [0.4, 0.3, 0.3], *map(tab, panes))
    data = {
        "layout-restorer:data": {
            "main": {"dock": split("horizontal", [0.66, 0.34], tab(f"notebook:{notebook}"), right),
                     "current": f"notebook:{notebook}"},
            "left": {"collapsed": True, "visible": True,
                     "widgets": ["filebrowser", "running-sessions", "dask-dashboard-launcher"]},
        },
        f"notebook:{notebook}": {"data": {"path": notebook, "factory": "Notebook"}},
    }
    for pane, (route, label) in zip(panes, PANES.items(), strict=True):
        data[pane] = {"data": {"item": {"route": f"/{route}", "label": label, "key": label}}}
    return {"data": data, "metadata": {"id": WORKSPACE}}


def split(orientation: str, sizes: list, *children: dict) -> dict:
    """Areas side by side (horizontal) or one above the other (vertical)."""
    return {"type": "split-area", "orientation": orientation, "sizes": sizes, "children": list(children)}


def tab(widget: str) -> dict:
    """An area with one widget."""
    return {"type": "tab-area", "currentIndex": 0, "widgets": [widget]}

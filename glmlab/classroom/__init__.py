"""The classroom: JupyterLab with the course, its dashboard panes, and the doctor who looks at a machine."""

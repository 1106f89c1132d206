"""A fresh copy of a notebook, as a cell asks for it: what was kept is said, and a button opens the fresh one."""

from glmlab.workspace import reset as fresh_copy
from glmlab.workspace import what_was_kept


class Reload:
    """Shows the way to the fresh copy: in words, and in JupyterLab with a button that runs its command, too."""

    WORDS = "To see the fresh one where yours is open: File → Reload Notebook from Disk."
    COMMAND = "docmanager:reload"  # JupyterLab's own; it asks whether it may drop what is not saved

    def __repr__(self):
        return self.WORDS

    def _repr_html_(self):
        button = f"<button type='button' class='jp-mod-styled' data-commandlinker-command='{self.COMMAND}'>"
        return f"<p>{button}Show the fresh copy here</button></p><p>{self.WORDS}</p>"


def reset(name):
    """Replace your copy of notebook ``name`` by a fresh one, keep yours beside it, and say what was kept.

    Only what you saved can be kept. In JupyterLab a button below the cell opens the fresh copy in the place of yours.
    Raises ValueError where no notebook or more than one has such a name.
    """
    from IPython.display import display

    print(what_was_kept(*fresh_copy(name)))
    display(Reload())

"""The book's page for teachers: plans whose minutes are read from the headings of the notebooks.

    python -m tools.plans     prints the page as the book has it
"""

from pathlib import Path
from typing import NamedTuple

from glmlab.names import nearest
from glmlab.teaching.contents import Section, chapters

PAGE = Path(__file__).parents[1] / "docs" / "book" / "teaching.md"
BREAK = "break of "


class Plan(NamedTuple):
    """Sections in the order in which they are taught."""

    most: int  # minutes at most, breaks included
    items: tuple  # "01 How large is a chunk?" for a section of 01, "break of 15 minutes" for a break


PLANS = {
    "three hours": Plan(180, (
        "01 The post's data, as it was written",
        "01 How large is a chunk?",
        "01 Compute or persist?",
        "02 A minimum in closed form",
        "02 Two reductions",
        "02 Whose error was it?",
        "03 The post's loop",
        "03 The published step, debugged",
        "break of 15 minutes",
        "06 Is it close?",
        "06 A line below the loss",
        "06 Residual-corrected duality",
        "06 Judge anyone",
        "06 The post's rows in the ledger",
    )),
    "one day": Plan(360, (
        "01 The post's data, as it was written",
        "01 How large is a chunk?",
        "01 Who draws the rows?",
        "01 Compute or persist?",
        "02 A minimum in closed form",
        "02 Two reductions",
        "02 Whose error was it?",
        "02 Every ridge from one pass",
        "break of 15 minutes",
        "03 The post's loop",
        "03 The rate, from two eigenvalues",
        "03 The published step, debugged",
        "03 Stopping rules that lie, and one that does not",
        "05 One problem in ten chunks",
        "05 Shrink",
        "05 A chunk's own problem",
        "05 The consensus step",
        "05 The post's loop",
        "05 The zeros count the rounds",
        "break of 15 minutes",
        "06 Is it close?",
        "06 How far from stationary?",
        "06 A line below the loss",
        "06 Residual-corrected duality",
        "06 Judge anyone",
        "06 The post's rows in the ledger",
    )),
}  # fmt: skip
SITTING = 90  # minutes of self-study at most before a longer pause; no section is longer


def page() -> str:
    """The page: its prose from docs/book/teaching.md, with a table in the place of each marker."""
    text = PAGE.read_text(encoding="utf-8")
    tables = {name: timetable(name) for name in PLANS} | {"self-study": sittings(), "optional": optional()}
    for name, table in tables.items():
        text = text.replace(marker(name), table)
    return text


def marker(name: str) -> str:
    """The line of the page where a table goes."""
    return f"<!-- plan: {name} -->"


# --- plans for a class

def timetable(name: str) -> str:
    """A plan as a table: when each item begins, and the sum of all minutes."""
    rows, begins = [], 0
    for item in PLANS[name].items:
        minutes = minutes_of(item)
        number, title = ("", f"*{item}*") if item.startswith(BREAK) else item.split(" ", 1)
        rows.append((clock(begins), number, title, minutes))
        begins += minutes
    return table(("begins after", "notebook", "section", "minutes"), [*rows, ("", "", "**in all**", begins)])


def total(name: str) -> int:
    """Minutes of a plan, with its breaks."""
    return sum(map(minutes_of, PLANS[name].items))


def minutes_of(item: str) -> int:
    """Minutes of a section, as its heading says, or of a break."""
    return int(item.removeprefix(BREAK).split()[0]) if item.startswith(BREAK) else section(item).minutes


def section(item: str) -> Section:
    """The section that an item names. Raises ValueError, with the nearest name, where there is none."""
    found = {f"{each.number} {each.title}": each for each in sections()}
    if item not in found:
        raise ValueError(f"no section is called {item!r}; {nearest(item, found)}")
    return found[item]


def sections() -> list[Section]:
    """All sections of the course that say their minutes."""
    return [each for found in chapters() for each in found.sections]


# --- self-study

def sittings() -> str:
    """The core path as a table, a notebook in one sitting or in several of at most SITTING minutes."""
    rows = [(k, parts[0].number, span(parts), sum_of(parts)) for k, parts in enumerate(core_sittings(), 1)]
    in_all = sum(row[-1] for row in rows)
    return table(("sitting", "notebook", "sections", "minutes"), [*rows, ("", "", "**in all**", in_all)])


def core_sittings() -> list[list[Section]]:
    """The core sections in order. A sitting ends with its notebook, or before the section that would be too much."""
    found = []
    for each in sections():
        if each.core:
            begins = not found or found[-1][0].number != each.number or sum_of([*found[-1], each]) > SITTING
            found = [*found, [each]] if begins else [*found[:-1], [*found[-1], each]]
    return found


def span(parts: list[Section]) -> str:
    """The first and the last section of a sitting."""
    return parts[0].title if len(parts) == 1 else f"{parts[0].title} – {parts[-1].title}"


def optional() -> str:
    """The optional sections as a table."""
    rows = [(each.number, each.title, each.minutes) for each in sections() if not each.core]
    in_all = sum(row[-1] for row in rows)
    return table(("notebook", "section", "minutes"), [*rows, ("", "**in all**", in_all)])


def sum_of(parts) -> int:
    """Minutes of several sections."""
    return sum(each.minutes for each in parts)


# --- tables

def clock(time: int) -> str:
    """Minutes as hours and minutes: 65 as 1:05."""
    return f"{time // 60}:{time % 60:02}"


def table(head, rows) -> str:
    """A table in Markdown, its last column to the right."""
    rules = "|---" * (len(head) - 1) + "|---:|"
    return "\n".join([f"| {' | '.join(head)} |", rules, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


if __name__ == "__main__":
    print(page())

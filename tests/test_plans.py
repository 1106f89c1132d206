"""The plans for teachers: their sections exist, their minutes are those of the notebooks, and they fit the time."""

import re
from itertools import pairwise

import pytest

from glmlab.teaching import contents
from tools import plans
from tools.plans import PLANS, SITTING

every_plan = pytest.mark.parametrize("name", PLANS)


def rows(table):
    """The cells of a Markdown table, without its head."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


def lengthened(monkeypatch, by):
    """Let every section of the course be so many minutes longer."""
    longer = [
        found._replace(sections=tuple(each._replace(minutes=each.minutes + by) for each in found.sections))
        for found in contents.chapters()
    ]
    monkeypatch.setattr(plans, "chapters", lambda: longer)


@pytest.mark.parametrize(("name", "most", "breaks"), [("three hours", 180, 15), ("one day", 360, 30)])
def test_a_plan_fits_its_time_with_breaks(name, most, breaks):
    items = PLANS[name].items
    assert sum(plans.minutes_of(item) for item in items if item.startswith(plans.BREAK)) == breaks
    assert plans.total(name) <= PLANS[name].most == most


@every_plan
def test_a_plan_names_sections_that_exist_each_once_and_in_order(name):
    items = [item for item in PLANS[name].items if not item.startswith(plans.BREAK)]
    course = plans.sections()
    places = [course.index(plans.section(item)) for item in items]
    assert places == sorted(set(places))


def test_a_misspelt_section_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match="did you mean '01 How large is a chunk\\?'"):
        plans.section("01 How large is the chunk?")


@every_plan
def test_a_table_begins_each_item_when_the_one_before_ends(name, monkeypatch):
    for by in (0, 7):
        lengthened(monkeypatch, by)
        *items, (*_, total) = rows(plans.timetable(name))
        end = 0
        for begins, *_, minutes in items:
            hours, rest = begins.split(":")
            assert 60 * int(hours) + int(rest) == end
            end += int(minutes)
        assert int(total) == end == plans.total(name)
        assert len(items) == len(PLANS[name].items)


def test_self_study_holds_every_core_section_in_sittings_that_are_not_too_long():
    sittings = plans.core_sittings()
    assert [each for sitting in sittings for each in sitting] == [each for each in plans.sections() if each.core]
    assert all(plans.sum_of(sitting) <= SITTING for sitting in sittings)
    assert all(len({each.number for each in sitting}) == 1 for sitting in sittings)
    *listed, (*_, total) = rows(plans.sittings())
    assert sum(int(row[-1]) for row in listed) == int(total) == sum(map(plans.sum_of, sittings))


def test_sittings_are_not_cut_without_need():
    for before, after in pairwise(plans.core_sittings()):
        assert before[0].number != after[0].number or plans.sum_of([*before, after[0]]) > SITTING


def test_optional_sections_are_the_rest():
    *listed, (*_, total) = rows(plans.optional())
    assert len(listed) + sum(map(len, plans.core_sittings())) == len(plans.sections())
    assert sum(int(row[-1]) for row in listed) == int(total)


def test_the_page_has_a_table_for_each_marker():
    page = plans.page()
    assert "<!--" not in page
    assert all(table in page for table in (*map(plans.timetable, PLANS), plans.sittings(), plans.optional()))


def test_each_section_of_the_three_hours_has_its_answer_and_its_trouble_in_two_lines():
    text = plans.PAGE.read_text(encoding="utf-8")
    notes = re.findall(r"^\*\*(\w+) · (.+)\*\*\n\n- \*Expected\.\* .+\n(?:  .+\n)*- \*Goes wrong\.\* .+\n", text, re.M)
    sections = [item for item in PLANS["three hours"].items if not item.startswith(plans.BREAK)]
    assert [f"{number} {title}" for number, title in notes] == sections

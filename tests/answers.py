"""A reader's answers, right and wrong, as the tests of the exercises give them."""

from glmlab.teaching import check


def called(name, function=None):
    """The function under an exercise's name; a decorator if only the name is given."""

    def give_name(function):
        function.__name__ = name
        return function

    return give_name if function is None else give_name(function)


def accepted(name, right):
    verdict = check(called(name, right))
    assert verdict, verdict.message


def rejected(name, wrong, condition, says=""):
    """Refused at this condition, with a hint; `says` is a part of the message, hint included."""
    verdict = check(called(name, wrong))
    assert not verdict and verdict.failed == condition, verdict.message
    assert verdict.hint and verdict.hint in verdict.message
    assert says in verdict.message, verdict.message

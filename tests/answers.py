"""A reader's answers, right and wrong, as the tests of the exercises give them."""

from glmlab.teaching import check


def called(name):
    def give_name(function):
        function.__name__ = name
        return function

    return give_name


def rejected(wrong, condition):
    verdict = check(wrong)
    assert not verdict and verdict.failed == condition, verdict.message
    assert verdict.hint in verdict.message

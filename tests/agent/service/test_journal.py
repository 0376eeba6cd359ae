"""Lines that anybody could cause are bounded, and what was left out is counted."""

from agent.service.journal import KINDS_MOST, Seldom


def test_one_line_a_minute_about_the_same_and_the_others_are_counted() -> None:
    now, said = [0.0], list[str]()
    seldom = Seldom(lambda: now[0], said.append)
    for _ in range(5):
        seldom("a", "wrong")
    seldom("b", "wrong too")
    now[0] = 61.0
    seldom("a", "wrong")
    assert said == ["wrong", "wrong too", "wrong (4 more like this since the last such line)"]


def test_names_that_somebody_makes_up_take_no_room() -> None:
    said = list[str]()
    seldom = Seldom(lambda: 0.0, said.append)
    for number in range(3 * KINDS_MOST):
        seldom(f"name {number}", "wrong")
    assert len(seldom._said) == KINDS_MOST

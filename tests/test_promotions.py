"""Where a rollback goes, and what a promotion would undo."""

from datetime import UTC, datetime, timedelta

import pytest

from data_platform.errors import PlatformError
from data_platform.record.promotions import Action, Promotion, last_and_before, undone_by

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def history(*goes_back_to: int | None) -> list[Promotion]:
    """A promotion an hour from noon on; those that are rollbacks with where they went."""
    return [
        Promotion(
            number,
            Action.PROMOTED if back is None else Action.ROLLED_BACK,
            "dev",
            NOON + timedelta(hours=number),
            back,
            (f"marts.changed_by_{number}",),
        )
        for number, back in enumerate(goes_back_to, 1)
    ]


@pytest.mark.parametrize(
    ("goes_back_to", "undone", "target"),
    [
        ((None, None), 2, 1),
        ((None, None, None), 3, 2),
        # A rollback is what it restored: the next one goes back further.
        ((None, None, None, 2), 2, 1),
        # What was promoted after a rollback goes back to what the rollback restored.
        ((None, None, 1, None), 4, 1),
        ((None, None, None, 2, None), 5, 2),
        ((None, None, None, 2, None, 2), 2, 1),
    ],
)
def test_a_rollback_goes_back_to_before_the_last_change(
    goes_back_to: tuple[int | None, ...], undone: int, target: int
) -> None:
    found = last_and_before(history(*goes_back_to))
    assert [one.number for one in found] == [undone, target]


@pytest.mark.parametrize("goes_back_to", [(), (None,), (None, None, 1)])
def test_the_first_code_has_nothing_before_it(goes_back_to: tuple[int | None, ...]) -> None:
    with pytest.raises(PlatformError, match="nothing to roll back"):
        last_and_before(history(*goes_back_to))


def test_an_environment_undoes_only_later_promotions_of_models_that_it_has_otherwise() -> None:
    known = history(None, None, None)
    ours = {"marts.changed_by_2": "old", "marts.changed_by_3": "same"}
    theirs = {"marts.changed_by_2": "new", "marts.changed_by_3": "same"}
    ((promotion, models),) = undone_by(known, 1, ours, theirs)
    assert (promotion.number, models) == (2, ("marts.changed_by_2",))
    assert undone_by(known, 2, ours, theirs) == []

"""Faults rebuilt from what people reported: each cause first on one live server, by rotation."""

import pytest

from evals.lab.catalogue import FAULTS
from evals.lab.fault import NO_FAULT
from evals.lab.faults import (
    addresses,
    copies,
    data,
    electing,
    encryption,
    lost,
    mistaken,
    modules,
    moved,
    moving_slots,
    readdressed,
    swapped,
    syncs,
    two_channels,
)
from tests.rotation import right, told

MODULES = (
    addresses,
    copies,
    readdressed,
    swapped,
    data,
    electing,
    encryption,
    lost,
    mistaken,
    modules,
    moved,
    moving_slots,
    syncs,
    two_channels,
)
IDS = [id for module in MODULES for id, fault in module.FAULTS.items() if fault.cause != NO_FAULT]


@pytest.mark.live
@pytest.mark.parametrize("id", IDS)
async def test_a_cause_is_named_first_and_its_plan_holds_no_wrong_remedy(id: str) -> None:
    right(FAULTS[id], await told(id, seed=11))

"""The planted faults can still be planted: `make faults` plants them and takes half an hour, this a moment."""

from pathlib import Path

from tests.faults import FAULTS
from tests.plant_faults import planted

ROOT = Path(__file__).parents[1]


def test_every_fault_has_its_one_place_and_the_tests_that_must_notice_it():
    for fault in FAULTS:
        text = (ROOT / fault.file).read_text()
        assert planted(text, fault) != text
        assert all((ROOT / test).is_file() for test in fault.tests), fault.name

"""The garbage collector rests while heavy libraries are imported, and no longer."""

import gc

import pytest

from lorasmith.model_imports import uncollected


@pytest.mark.parametrize("was_on", [True, False])
def test_the_collector_is_as_it_was_afterwards_also_after_an_error(was_on: bool) -> None:
    before = gc.isenabled()
    (gc.enable if was_on else gc.disable)()
    try:
        with pytest.raises(ImportError), uncollected():
            assert not gc.isenabled()
            raise ImportError
        assert gc.isenabled() == was_on
    finally:
        (gc.enable if before else gc.disable)()
